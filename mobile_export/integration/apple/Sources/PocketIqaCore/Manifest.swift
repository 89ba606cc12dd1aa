// What manifest.json says of a bundle: how to feed the network, what its files are, what the golden photos score.
import Foundation

/// One file of a bundle: its size in bytes and its hexadecimal sha256.
public struct FileEntry: Decodable, Sendable {
    public let bytes: Int
    public let sha256: String
}

/// The contract between factory and phone.
public struct Manifest: Sendable {
    /// Of the network.
    public let name, version: String
    public let input: InputSpec
    /// Names of the quality vector's entries after the score.
    public let attributes: [String]
    /// Rows and columns of the map of local quality; nil where the network gives none.
    public let mapShape: (rows: Int, columns: Int)?
    /// By path in the bundle.
    public let files: [String: FileEntry]
    /// The programs' paths by name.
    public let variants: [String: String]
    /// By photo and variant, the quality vector that the exporter measured.
    public let golden: [String: [String: [Float]]]
    /// The path of the gate's file; empty where the bundle carries none.
    public let gate: String

    /// Throws PocketIqaError: the text is no manifest, or one that this version does not implement.
    public init(json: Data) throws {
        let schema = try read(Schema.self, from: json, named: "manifest.json").schema_version
        guard (1...Contract.schemaVersion).contains(schema) else {
            throw PocketIqaError(
                "manifest.json has schema_version \(schema); this code reads 1 to \(Contract.schemaVersion): "
                    + "copy the bundle's own integration/apple")
        }
        let fields = try read(Fields.self, from: json, named: "manifest.json")
        input = try InputSpec(fields.input)
        if let shape = fields.outputs.map?.shape {
            guard shape.count == 2, shape.allSatisfy({ $0 >= 1 }) else {
                throw PocketIqaError("manifest.json has outputs.map.shape \(shape); it must be [rows, columns]")
            }
            mapShape = (shape[0], shape[1])
        } else {
            mapShape = nil
        }
        (name, version) = (fields.name, fields.version)
        attributes = fields.outputs.attributes?.names ?? []
        files = fields.files
        variants = fields.variants.mapValues(\.path)
        golden = fields.golden ?? [:]
        gate = fields.gate ?? ""
    }
}

private struct Schema: Decodable { let schema_version: Int }

private struct Fields: Decodable {
    struct Outputs: Decodable {
        struct Attributes: Decodable { let names: [String] }
        struct Map: Decodable { let shape: [Int] }
        let attributes: Attributes?
        let map: Map?
    }
    struct Variant: Decodable { let path: String }
    let name, version: String
    let input: [String: InputField]
    let outputs: Outputs
    let files: [String: FileEntry]
    let variants: [String: Variant]
    let golden: [String: [String: [Float]]]?
    let gate: String?
}

/// Throws PocketIqaError, with the field's name, where the text is no JSON or lacks what `kind` needs.
func read<Kind: Decodable>(_ kind: Kind.Type, from json: Data, named file: String) throws -> Kind {
    do {
        return try JSONDecoder().decode(kind, from: json)
    } catch let error as DecodingError {
        throw PocketIqaError("\(file) cannot be read: \(words(error)); copy the bundle anew")
    }
}

private func words(_ error: DecodingError) -> String {
    func place(_ context: DecodingError.Context) -> String {
        let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
        return path.isEmpty ? "it" : path.joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, let context): return "\(place(context)) lacks \(key.stringValue)"
    case .valueNotFound(_, let context): return "\(place(context)) is null"
    case .typeMismatch(_, let context): return "\(place(context)) has another type than it must have"
    case .dataCorrupted(let context): return "\(place(context)) is damaged (\(context.debugDescription))"
    @unknown default: return "\(error)"
    }
}
