#if canImport(CoreAI)
import CoreAI
import Foundation
import PocketIqaCore

/// A Core AI model of a bundle, `coreai/student_*.aimodel`.
@available(iOS 27, macOS 27, *)
public struct CoreAIProgram: Program {
    private let function: InferenceFunction

    /// Specializes the model for this device and loads it. Throws PocketIqaError: Core AI cannot.
    public init(_ asset: URL) async throws {
        do {
            guard let main = try await AIModel(contentsOf: asset).loadFunction(named: "main") else {
                throw PocketIqaError("it has no function main")
            }
            function = main
        } catch {
            throw PocketIqaError("Core AI cannot load \(asset.lastPathComponent): \(error.localizedDescription)")
        }
    }

    public func run(_ input: [Float], shape: [Int]) async throws -> [[Float]] {
        do {
            var outputs = try await function.run(inputs: [inputName: NDArray(scalars: input, shape: shape)])
            var values: [[Float]] = []
            for name in outputNames {
                if let array = outputs.remove(name)?.ndArray { values.append(flat(array)) }
            }
            return values
        } catch {
            throw PocketIqaError("Core AI failed: \(error.localizedDescription)")
        }
    }
}

/// In row-major order, however the array lies in memory.
@available(iOS 27, macOS 27, *)
private func flat(_ array: NDArray) -> [Float] {
    array.view(as: Float.self).withUnsafePointer { start, shape, strides in
        let count = (0..<shape.count).reduce(1) { $0 * shape[$1] }
        return (0..<count).map { number in
            var (rest, place) = (number, 0)
            for axis in (0..<shape.count).reversed() {
                place += rest % shape[axis] * strides[axis]
                rest /= shape[axis]
            }
            return start[place]
        }
    }
}
#endif
