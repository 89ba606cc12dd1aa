// Answers a line of JSON for each line of JSON: what the core does, for tests/mobile_export/test_apple.py to judge.
import Foundation
@testable import PocketIqaCore

struct Request: Decodable {
    let run: String
    let bundle, manifest, file, variant, layout, gate: String?
    let files: [String]?
    let width, height, stride, turn: Int?
    let bound: Double?
    let values: [String: Float]?
    let expected: [String: [Float]]?
    let found: [String: [Float?]]?
}

struct Answer: Encodable {
    var error, sha256, name, words, worst: String?
    var accepted, holds: Bool?
    var reasons: [String]?
    var attributes: [String: Float]?
    var largest, score: Float?
    var flips: Int?
    var shape: [Int]?
    var map: [Float]?
}

/// A network that Python runs: the tensor goes into a file, and a line brings the outputs.
struct AskedProgram: Program {
    func run(_ input: [Float], shape: [Int]) async throws -> [[Float]] {
        try input.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: "tensor.f32"))
        say("{\"asked\": \(shape)}")
        return try JSONDecoder().decode([[Float]].self, from: Data((readLine() ?? "").utf8))
    }
}

func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

func photo(_ request: Request) throws -> PixelPhoto {
    let layouts: [String: PixelPhoto.Layout] = ["rgb": .rgb, "rgbx": .rgbx, "bgrx": .bgrx]
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: request.file!)))
    let photo = try PixelPhoto(
        width: request.width!, height: request.height!, bytes: bytes, layout: layouts[request.layout ?? "rgb"]!,
        bytesPerRow: request.stride)
    return try photo.turned(request.turn ?? 0)
}

/// The pixels that Python decoded of a golden photo: WIDTHxHEIGHT and a line's end, then R, G, B by turns.
func decoded(_ encoded: Data) throws -> PixelPhoto {
    let file = try Data(contentsOf: URL(fileURLWithPath: "decoded/\(sha256(encoded))"))
    let end = file.firstIndex(of: 10)!
    let size = String(decoding: file[..<end], as: UTF8.self).split(separator: "x").map { Int($0)! }
    return try PixelPhoto(width: size[0], height: size[1], bytes: [UInt8](file[(end + 1)...]), layout: .rgb)
}

func answer(_ request: Request) async throws -> Answer {
    func bundle() throws -> BundleFolder { try BundleFolder(URL(fileURLWithPath: request.bundle!)) }
    func scorer() throws -> Scorer {
        Scorer(bundle: try bundle(), variant: request.variant!, program: AskedProgram())
    }
    switch request.run {
    case "tensor":
        let spec = try Manifest(json: Data(contentsOf: URL(fileURLWithPath: request.manifest!))).input
        let tensor = try inputTensor(photo(request), spec)
        return Answer(sha256: sha256(tensor.withUnsafeBytes { Data($0) }), shape: spec.shape)
    case "pixels":
        let photo = try photo(request)
        let bytes = (0..<photo.height).flatMap { photo.row($0) }
        return Answer(sha256: sha256(Data(bytes)), shape: [photo.height, photo.width, 3])
    case "read":
        let bundle = try bundle()
        for name in request.files ?? Array(bundle.manifest.files.keys) { _ = try bundle.read(name) }
        return Answer(name: bundle.manifest.name, shape: bundle.manifest.mapShape.map { [$0.rows, $0.columns] })
    case "program":
        return Answer(name: try bundle().program(request.variant!).lastPathComponent)
    case "sha256":
        return Answer(sha256: sha256(try Data(contentsOf: URL(fileURLWithPath: request.file!))))
    case "gate":
        let decision = try Gate(json: Data(request.gate!.utf8)).decide(request.values!)
        return Answer(accepted: decision.accepted, reasons: decision.reasons)
    case "gate of the bundle":
        let decision = try Gate(of: bundle()).decide(request.values!)
        return Answer(accepted: decision.accepted, reasons: decision.reasons)
    case "compare":
        let found = request.found!.mapValues { $0.map { $0 ?? .nan } }
        return golden(try compareGolden(expected: request.expected!, found: found, bound: request.bound!))
    case "check":
        return golden(try await scorer().checkGolden(decode: decoded))
    case "score":
        let quality = try await scorer().score(photo(request))
        let shape = quality.map.map { [$0.rows, $0.columns] }
        return Answer(
            attributes: quality.attributes, score: quality.score, shape: shape, map: quality.map?.values)
    default:
        return Answer(error: "nothing is known of \(request.run)")
    }
}

func golden(_ check: GoldenCheck) -> Answer {
    Answer(
        words: "\(check)", worst: check.worst, holds: check.holds, largest: check.largest, flips: check.flips)
}

while let line = readLine() {
    var answered: Answer
    do {
        answered = try await answer(JSONDecoder().decode(Request.self, from: Data(line.utf8)))
    } catch {
        answered = Answer(error: "\(error)")
    }
    say(String(decoding: try JSONEncoder().encode(answered), as: UTF8.self))
}
