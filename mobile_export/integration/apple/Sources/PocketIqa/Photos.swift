// What Apple's systems have as photos, as the core reads them.
#if canImport(ImageIO) && canImport(CoreVideo)
import CoreGraphics
import CoreVideo
import Foundation
import ImageIO
import PocketIqaCore

extension PixelPhoto {
    /// An encoded photo (JPEG, PNG, HEIF: what this system decodes), upright, in sRGB and on white.
    ///
    /// Throws PocketIqaError: no picture, a damaged one, or a size that is not judged.
    public init(encoded: Data) throws {
        guard let source = CGImageSourceCreateWithData(NSData(data: encoded) as CFData, nil),
              let known = CGImageSourceCopyPropertiesAtIndex(source, 0, nil) as? [CFString: Any],
              let width = known[kCGImagePropertyPixelWidth] as? Int,
              let height = known[kCGImagePropertyPixelHeight] as? Int
        else { throw PocketIqaError("this system cannot decode the photo") }
        try checkSize(width, height)
        // Of full size: it is the call that applies the EXIF orientation.
        let upright = [
            kCGImageSourceCreateThumbnailFromImageAlways: true, kCGImageSourceCreateThumbnailWithTransform: true,
            kCGImageSourceThumbnailMaxPixelSize: max(width, height),
        ] as CFDictionary
        guard let image = CGImageSourceCreateThumbnailAtIndex(source, 0, upright) else {
            throw PocketIqaError("this system cannot decode the photo; it may be damaged")
        }
        try self.init(image)
    }

    /// An upright image of any colour space, drawn in sRGB on white.
    ///
    /// Throws PocketIqaError: a size that is not judged, or no memory for it.
    public init(_ image: CGImage) throws {
        try checkSize(image.width, image.height)
        let all = CGRect(x: 0, y: 0, width: image.width, height: image.height)
        guard let space = CGColorSpace(name: CGColorSpace.sRGB),
              let context = CGContext(
                  data: nil, width: image.width, height: image.height, bitsPerComponent: 8, bytesPerRow: 0,
                  space: space, bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
        else { throw PocketIqaError("no memory for a photo of \(image.width)×\(image.height) pixels") }
        context.setFillColor(red: 1, green: 1, blue: 1, alpha: 1)
        context.fill(all)
        context.draw(image, in: all)
        let bytesPerRow = context.bytesPerRow
        let bytes = withExtendedLifetime(context) { copied(context.data, bytesPerRow * image.height) }
        try self.init(
            width: image.width, height: image.height, bytes: bytes, layout: .rgbx, bytesPerRow: bytesPerRow)
    }

    /// A camera's frame in `kCVPixelFormatType_32BGRA`, of a session that captures in sRGB; its pixels are copied.
    /// `rotation` is how many degrees clockwise turn it upright.
    ///
    /// Throws PocketIqaError: another format or rotation.
    public init(_ frame: CVPixelBuffer, rotation: Int = 0) throws {
        guard CVPixelBufferGetPixelFormatType(frame) == kCVPixelFormatType_32BGRA else {
            throw PocketIqaError("a frame of another format; ask the camera for kCVPixelFormatType_32BGRA")
        }
        CVPixelBufferLockBaseAddress(frame, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(frame, .readOnly) }
        let (height, bytesPerRow) = (CVPixelBufferGetHeight(frame), CVPixelBufferGetBytesPerRow(frame))
        let bytes = copied(CVPixelBufferGetBaseAddress(frame), bytesPerRow * height)
        let sensor = try PixelPhoto(
            width: CVPixelBufferGetWidth(frame), height: height, bytes: bytes, layout: .bgrx,
            bytesPerRow: bytesPerRow)
        self = try sensor.turned(rotation)
    }
}

private func copied(_ start: UnsafeMutableRawPointer?, _ count: Int) -> [UInt8] {
    [UInt8](UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count))
}
#endif
