#if canImport(CoreML)
import CoreML
import Foundation
import PocketIqaCore

/// A Core ML package of a bundle, `coreml/student_*.mlpackage`.
///
/// Core ML's asynchronous predictions may run side by side.
public struct CoreMLProgram: Program, @unchecked Sendable {
    private let model: MLModel

    /// Compiles the package for this device and loads it. Throws PocketIqaError: Core ML cannot.
    public init(_ package: URL) async throws {
        do {
            let compiled = try await MLModel.compileModel(at: package)
            model = try await MLModel.load(contentsOf: compiled, configuration: MLModelConfiguration())
        } catch {
            throw PocketIqaError("Core ML cannot load \(package.lastPathComponent): \(error.localizedDescription)")
        }
    }

    public func run(_ input: [Float], shape: [Int]) async throws -> [[Float]] {
        do {
            let photo = MLFeatureValue(shapedArray: MLShapedArray<Float>(scalars: input, shape: shape))
            let inputs = try MLDictionaryFeatureProvider(dictionary: [inputName: photo])
            let outputs = try await model.prediction(from: inputs, options: MLPredictionOptions())
            let arrays = outputNames.compactMap { outputs.featureValue(for: $0)?.multiArrayValue }
            return arrays.map { MLShapedArray<Float>(converting: $0).scalars }
        } catch {
            throw PocketIqaError("Core ML failed: \(error.localizedDescription)")
        }
    }
}
#endif
