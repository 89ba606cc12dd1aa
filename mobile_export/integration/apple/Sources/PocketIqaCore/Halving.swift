/// By how much the sides of a photo are divided before its views are cut: the largest power of two that leaves a short
/// side, rounded up, of `enough` pixels at least; 1 where `enough` is nil.
public func halvingFactor(_ width: Int, _ height: Int, _ enough: Int?) -> Int {
    let short = min(width, height)
    var factor = 1
    while let enough, short > factor, (short + 2 * factor - 1) / (2 * factor) >= enough { factor *= 2 }
    return factor
}

/// Each pixel the mean of a square, rounded as Pillow's `Image.reduce` does; at the edges of as much as is there.
func halved(_ photo: some Photo, _ factor: Int) throws -> PixelPhoto {
    let width = (photo.width + factor - 1) / factor
    let height = (photo.height + factor - 1) / factor
    var bytes: [UInt8] = []
    bytes.reserveCapacity(3 * width * height)
    for line in 0..<height {
        let rows = line * factor..<min((line + 1) * factor, photo.height)
        var sums = [Int](repeating: 0, count: 3 * width)
        for y in rows {
            photo.row(y).withUnsafeBufferPointer { row in
                for x in 0..<photo.width {
                    let (place, pixel) = (3 * (x / factor), 3 * x)
                    sums[place] += Int(row[pixel])
                    sums[place + 1] += Int(row[pixel + 1])
                    sums[place + 2] += Int(row[pixel + 2])
                }
            }
        }
        for x in 0..<width {
            let count = rows.count * (min((x + 1) * factor, photo.width) - x * factor)
            for channel in 0..<3 {
                bytes.append(UInt8(((sums[3 * x + channel] + count / 2) * ((1 << 24) / count)) >> 24))
            }
        }
    }
    return try PixelPhoto(width: width, height: height, bytes: bytes, layout: .rgb)
}
