import Foundation

/// A network that is loaded: takes the input tensor, gives the quality vector and, where it has one, the map.
public protocol Program: Sendable {
    /// Outputs in the program's order, each float32 and flat. Several tasks may call it at once.
    func run(_ input: [Float], shape: [Int]) async throws -> [[Float]]
}

/// Scores photos with one program of a bundle.
///
/// One scorer serves many tasks; all that takes time is `async` and leaves the main thread free.
public struct Scorer: Sendable {
    public let bundle: BundleFolder
    public let variant: String
    private let program: any Program

    public init(bundle: BundleFolder, variant: String, program: any Program) {
        (self.bundle, self.variant, self.program) = (bundle, variant, program)
    }

    /// Throws PocketIqaError: the photo is too small or too large, or the program fails.
    public func score(_ photo: some Photo) async throws -> Quality {
        let input = try inputTensor(photo, bundle.manifest.input)
        return try Quality(await program.run(input, shape: bundle.manifest.input.shape), bundle.manifest)
    }

    /// Scores the bundle's golden photos and compares them with what the exporter measured. `holds` of the answer says
    /// whether this device's scores may be used.
    ///
    /// Throws PocketIqaError: a golden photo is missing or changed, or the variant has no scores.
    public func checkGolden(decode: (Data) throws -> any Photo) async throws -> GoldenCheck {
        let manifest = bundle.manifest
        guard let precision = Contract.goldenScores[variant] else {
            throw PocketIqaError("no golden scores are known for \(variant)")
        }
        let expected = manifest.golden.compactMapValues { $0[precision] }
        var found: [String: [Float]] = [:]
        for name in expected.keys.sorted() {
            let quality = try await score(decode(bundle.read(name)))
            found[name] = [quality.score] + manifest.attributes.map { quality.attributes[$0]! }
        }
        // Another float program than the processor's may calculate in half precision.
        let bound = Contract.goldenBound[variant == precision ? precision : "int8"]!
        return try compareGolden(expected: expected, found: found, bound: bound)
    }

    /// The bundle's gate, which accepts or refuses a `Quality`. Throws PocketIqaError: it carries none.
    public func gate() throws -> Gate { try Gate(of: bundle) }
}
