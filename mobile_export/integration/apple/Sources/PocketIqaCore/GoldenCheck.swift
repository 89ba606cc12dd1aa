/// What a device gives for the golden photos, against what the exporter measured.
public struct GoldenCheck: Sendable, CustomStringConvertible {
    /// How many were compared.
    public let photos: Int
    /// The largest difference of any output.
    public let largest: Float
    /// The photo of that difference.
    public let worst: String
    /// Pairs of photos, clearly apart for the exporter, that this device ranks the other way round.
    public let flips: Int
    /// What `largest` may be.
    public let bound: Double

    public var holds: Bool { Double(largest) <= bound && flips == 0 }

    public var description: String {
        "\(photos) golden photos: largest difference \(largest) (\(worst)), bound \(bound), \(flips) flipped pairs: "
            + (holds ? "this phone scores as the exporter did" : "do not use these scores")
    }
}

/// Compares quality vectors, score first, photo by photo.
///
/// Throws PocketIqaError: there are no photos, or a photo's vectors have different lengths.
public func compareGolden(
    expected: [String: [Float]], found: [String: [Float]], bound: Double
) throws -> GoldenCheck {
    if expected.isEmpty { throw PocketIqaError("the manifest names no golden photos for this variant") }
    var (largest, worst) = (Float(-1), "")
    let photos = expected.keys.sorted()
    for photo in photos {
        let (vector, other) = (expected[photo]!, found[photo] ?? [])
        if other.isEmpty || other.count != vector.count {
            throw PocketIqaError("\(photo) has \(other.count) outputs here and \(vector.count) in the manifest")
        }
        for (value, here) in zip(vector, other) {
            let gap = here.isNaN ? .greatestFiniteMagnitude : abs(value - here)
            if gap > largest { (largest, worst) = (gap, photo) }
        }
    }
    var flips = 0
    for (i, photo) in photos.enumerated() {
        for earlier in photos[..<i] {
            let apart = expected[photo]![0] - expected[earlier]![0]
            let here = found[photo]![0] - found[earlier]![0]
            if Double(abs(apart)) >= Contract.clearDifference && apart * here <= 0 { flips += 1 }
        }
    }
    return GoldenCheck(photos: photos.count, largest: largest, worst: worst, flips: flips, bound: bound)
}
