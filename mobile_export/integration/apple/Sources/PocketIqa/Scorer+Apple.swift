#if canImport(CoreML) && canImport(ImageIO) && canImport(CoreVideo)
import Foundation
@_exported import PocketIqaCore

let inputName = "photo"
let outputNames = ["quality", "map"]

extension Scorer {
    /// Loads a program of the bundle in a folder: a Core ML package or, since iOS 27 and macOS 27, a Core AI model.
    ///
    /// Throws PocketIqaError: a file is missing or changed, or this system cannot load the program.
    public static func load(_ folder: URL, variant: String = "coreml_fp16") async throws -> Scorer {
        let bundle = try BundleFolder(folder)
        return Scorer(bundle: bundle, variant: variant, program: try await program(bundle.program(variant)))
    }

    /// Scores an encoded photo: the bytes of a JPEG, PNG or HEIF.
    ///
    /// Throws PocketIqaError: no picture, a damaged one, or a size that is not judged.
    public func score(_ encoded: Data) async throws -> Quality { try await score(PixelPhoto(encoded: encoded)) }

    /// Scores the bundle's golden photos, decoded by this system, and compares them with what the exporter measured.
    /// Call it once after an installation or a system update; where `holds` is false, do not use this phone's scores.
    ///
    /// Throws PocketIqaError: a golden photo is missing or changed, or the variant has no scores.
    public func checkGolden() async throws -> GoldenCheck {
        try await checkGolden { try PixelPhoto(encoded: $0) }
    }
}

private func program(_ file: URL) async throws -> any Program {
    if file.pathExtension == "mlpackage" { return try await CoreMLProgram(file) }
    #if canImport(CoreAI)
    if file.pathExtension == "aimodel", #available(iOS 27, macOS 27, *) { return try await CoreAIProgram(file) }
    #endif
    throw PocketIqaError(
        "\(file.lastPathComponent) is for another runtime than this system has; give Scorer a Program of its own")
}
#endif
