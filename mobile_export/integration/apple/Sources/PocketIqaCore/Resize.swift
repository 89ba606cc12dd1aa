/// A part of a photo at a view's size: R, G, B by turns, antialiased, in two passes of which each rounds to 8 bits.
///
/// The first goes along the rows, but where the height shrinks by over twice as many pixels as the width it goes along
/// the columns: so does Pillow since version 13, and the rounding in between shows.
func resize(_ photo: some Photo, _ box: Box, _ height: Int, _ width: Int, _ resample: String) -> [UInt8] {
    let kernel = kernels[resample]!
    let across = Weights(length: photo.width, begin: box.left, end: box.right, size: width, kernel: kernel)
    let down = Weights(length: photo.height, begin: box.top, end: box.bottom, size: height, kernel: kernel)
    let shrinks = photo.height - height
    if shrinks > 0 && shrinks > 2 * (photo.width - width) {
        let columns = alongColumns(photo.width, down) { photo.row($0) }
        let length = 3 * photo.width
        return (0..<height).flatMap { alongRow(columns[$0 * length..<($0 + 1) * length], across) }
    }
    return alongColumns(width, down) { alongRow(photo.row($0)[...], across) }
}

private let half = Int32(1) << (Contract.weightBits - 1)

private func byte(_ sum: Int32) -> UInt8 { UInt8(min(max(sum >> Contract.weightBits, 0), 255)) }

/// A row of pixels brought to the width of `across`.
private func alongRow(_ row: ArraySlice<UInt8>, _ across: Weights) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(3 * across.of.count)
    row.withUnsafeBufferPointer { row in
        for (first, weights) in zip(across.first, across.of) {
            var (red, green, blue, place) = (half, half, half, 3 * first)
            for weight in weights {
                red &+= weight &* Int32(row[place])
                green &+= weight &* Int32(row[place + 1])
                blue &+= weight &* Int32(row[place + 2])
                place += 3
            }
            result.append(byte(red))
            result.append(byte(green))
            result.append(byte(blue))
        }
    }
    return result
}

/// Reads each row once, `width` pixels, and adds it to all rows of the result that it is a part of.
private func alongColumns(_ width: Int, _ down: Weights, row: (Int) -> [UInt8]) -> [UInt8] {
    let length = 3 * width
    var sums = [Int32](repeating: half, count: length * down.of.count)
    sums.withUnsafeMutableBufferPointer { sums in
        for y in down.read {
            row(y).withUnsafeBufferPointer { source in
                for (line, weights) in down.of.enumerated() where weights.indices.contains(y - down.first[line]) {
                    let (weight, start) = (weights[y - down.first[line]], line * length)
                    for place in 0..<length { sums[start + place] &+= weight &* Int32(source[place]) }
                }
            }
        }
    }
    return sums.map(byte)
}
