// May this photo be used? What pocketiqa.gate decides in Python, on the same values.
import Foundation

/// The least value that `measure` (`score` or an attribute) must have; `words` say what a photo is that has less.
public struct Threshold: Sendable {
    public let measure: String
    public let least: Double
    public let words: String
}

/// The reasons of a refused photo: what refuses it, then hints; none of an accepted one.
public struct Decision: Sendable {
    public let accepted: Bool
    public let reasons: [String]
}

/// What a photo needs.
public struct Gate: Sendable {
    /// Each of them refuses.
    public let thresholds: [Threshold]
    /// They explain a refusal beside them.
    public let hints: [Threshold]

    /// Throws PocketIqaError: the text is no gate.
    public init(json: Data) throws {
        let fields = try read(Fields.self, from: json, named: "the gate")
        if fields.schema_version != Contract.gateSchemaVersion {
            throw PocketIqaError(
                "the gate has schema_version \(fields.schema_version); this code reads \(Contract.gateSchemaVersion)")
        }
        thresholds = try fields.thresholds.map(threshold)
        hints = try (fields.hints ?? []).map(threshold)
    }

    /// The gate that a bundle carries. Throws PocketIqaError: it carries none, or one that cannot be read.
    public init(of bundle: BundleFolder) throws {
        let name = bundle.manifest.gate
        if name.isEmpty { throw PocketIqaError("this bundle carries no gate; fit one: pocketiqa fit-gate") }
        self = try Gate(json: bundle.read(name))
    }

    /// Throws PocketIqaError: the gate asks for a value that the network does not give.
    public func decide(_ quality: Quality) throws -> Decision {
        try decide(quality.attributes.merging(["score": quality.score]) { $1 })
    }

    func decide(_ values: [String: Float]) throws -> Decision {
        if let unknown = (thresholds + hints).first(where: { values[$0.measure] == nil }) {
            throw PocketIqaError(
                "the gate asks for \(unknown.measure), and this bundle gives "
                    + "\(values.keys.sorted().joined(separator: ", ")); fit a gate to this bundle: pocketiqa fit-gate")
        }
        func under(_ among: [Threshold]) -> [Threshold] { among.filter { Double(values[$0.measure]!) < $0.least } }
        /// The value is cut, not rounded, so that it is under the one beside it.
        func reason(_ under: Threshold, _ beside: String) -> String {
            let shown = (Double(values[under.measure]!) * 1000).rounded(.down) / 1000
            return "\(under.words): \(under.measure) \(decimals(shown)), \(beside) \(decimals(under.least))"
        }
        let refusing = under(thresholds)
        if refusing.isEmpty { return Decision(accepted: true, reasons: []) }
        let named = refusing.map(\.measure)
        let hinting = under(hints).filter { !named.contains($0.measure) }
        let reasons = refusing.map { reason($0, "needs") } + hinting.map { reason($0, "good photos have") }
        return Decision(accepted: false, reasons: reasons)
    }
}

private struct Fields: Decodable {
    struct Entry: Decodable {
        let measure: String
        let least: Double
        let words: String?
    }
    let schema_version: Int
    let thresholds: [Entry]
    let hints: [Entry]?
}

private func threshold(_ entry: Fields.Entry) throws -> Threshold {
    guard (0...1).contains(entry.least) else {
        throw PocketIqaError("the gate asks for a \(entry.measure) of \(entry.least); it must be in [0, 1]")
    }
    let words = entry.words ?? Contract.gateWords[entry.measure] ?? "\(entry.measure) too low"
    return Threshold(measure: entry.measure, least: entry.least, words: words)
}

private func decimals(_ value: Double) -> String {
    String(format: "%.3f", locale: Locale(identifier: "en_US_POSIX"), value)
}
