/// Local quality in [0, 1] over the whole photo: `rows` × `columns` values, row by row from the top left.
public struct QualityMap: Sendable {
    public let rows, columns: Int
    public let values: [Float]
}

/// What a photo got.
public struct Quality: Sendable {
    /// Overall quality from 0 (bad) to 1 (excellent).
    public let score: Float
    /// By name, each from 0 (bad) to 1 (good); empty where the network gives none.
    public let attributes: [String: Float]
    /// Local quality; nil where the network gives none.
    public let map: QualityMap?

    /// Throws PocketIqaError: the outputs are not those that the manifest describes, or no numbers.
    init(_ outputs: [[Float]], _ manifest: Manifest) throws {
        let sizes = [1 + manifest.attributes.count] + (manifest.mapShape.map { [$0.rows * $0.columns] } ?? [])
        if outputs.map(\.count) != sizes {
            throw PocketIqaError(
                "the program gives outputs of \(outputs.map(\.count)) numbers, the manifest says \(sizes); "
                    + "copy the bundle anew")
        }
        if !outputs.allSatisfy({ $0.allSatisfy(\.isFinite) }) {
            throw PocketIqaError("the program gave a score that is no number; run checkGolden() on this device")
        }
        score = outputs[0][0]
        attributes = Dictionary(uniqueKeysWithValues: zip(manifest.attributes, outputs[0].dropFirst()))
        map = manifest.mapShape.map { QualityMap(rows: $0.rows, columns: $0.columns, values: outputs[1]) }
    }
}
