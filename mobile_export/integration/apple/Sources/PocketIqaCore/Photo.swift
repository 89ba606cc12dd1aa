/// An upright photo in 8-bit sRGB, read row by row, so that a large photo is never held twice.
public protocol Photo: Sendable {
    var width: Int { get }
    var height: Int { get }

    /// The pixels of row `y`: R, G, B by turns, 3 × width bytes.
    func row(_ y: Int) -> [UInt8]
}

/// A photo in memory, as decoders, screens and cameras have it.
public struct PixelPhoto: Photo {
    /// Where a pixel's red, green and blue lie among its bytes.
    public struct Layout: Sendable {
        let size, red, green, blue: Int
        public static let rgb = Layout(size: 3, red: 0, green: 1, blue: 2)
        /// The fourth byte is not read.
        public static let rgbx = Layout(size: 4, red: 0, green: 1, blue: 2)
        public static let bgrx = Layout(size: 4, red: 2, green: 1, blue: 0)
    }

    public let width, height: Int
    private let bytes: [UInt8]
    private let bytesPerRow: Int
    private let layout: Layout

    /// `bytesPerRow` may be more than the pixels need; nil: it is not.
    ///
    /// Throws PocketIqaError: there are fewer bytes than that.
    public init(width: Int, height: Int, bytes: [UInt8], layout: Layout, bytesPerRow: Int? = nil) throws {
        let stride = bytesPerRow ?? width * layout.size
        guard width > 0, height > 0, stride >= width * layout.size,
              bytes.count >= (height - 1) * stride + width * layout.size
        else { throw PocketIqaError("\(bytes.count) bytes are no photo of \(width)×\(height) pixels") }
        (self.width, self.height, self.bytes, self.bytesPerRow, self.layout) = (width, height, bytes, stride, layout)
    }

    public func row(_ y: Int) -> [UInt8] {
        var row = [UInt8](repeating: 0, count: 3 * width)
        for x in 0..<width {
            let pixel = y * bytesPerRow + x * layout.size
            row[3 * x] = bytes[pixel + layout.red]
            row[3 * x + 1] = bytes[pixel + layout.green]
            row[3 * x + 2] = bytes[pixel + layout.blue]
        }
        return row
    }
}

extension PixelPhoto {
    /// The photo turned clockwise, so that a camera's frame stands upright.
    ///
    /// Throws PocketIqaError: the rotation is not 0, 90, 180 or 270.
    public func turned(_ degrees: Int) throws -> PixelPhoto {
        let from: (_ x: Int, _ y: Int) -> (x: Int, y: Int)
        switch degrees {
        case 0: return self
        case 90: from = { (x: $1, y: height - 1 - $0) }
        case 180: from = { (x: width - 1 - $0, y: height - 1 - $1) }
        case 270: from = { (x: width - 1 - $1, y: $0) }
        default: throw PocketIqaError("a rotation of \(degrees) degrees; it must be 0, 90, 180 or 270")
        }
        let (across, down) = degrees == 180 ? (width, height) : (height, width)
        var turned = [UInt8](repeating: 0, count: 3 * across * down)
        var place = 0
        for y in 0..<down {
            for x in 0..<across {
                let source = from(x, y)
                let pixel = source.y * bytesPerRow + source.x * layout.size
                turned[place] = bytes[pixel + layout.red]
                turned[place + 1] = bytes[pixel + layout.green]
                turned[place + 2] = bytes[pixel + layout.blue]
                place += 3
            }
        }
        return try PixelPhoto(width: across, height: down, bytes: turned, layout: .rgb)
    }
}
