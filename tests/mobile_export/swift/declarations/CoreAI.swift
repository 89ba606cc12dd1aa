// The members of Core AI that the Apple layer calls, as Apple's documentation declares them; its closures take `Span`s
// where these take arrays, which this Swift lacks.
import Foundation

public struct NDArray: Sendable {
    public struct View<Element: BitwiseCopyable> {
        public func withUnsafePointer<R, E: Error>(
            _ body: (UnsafePointer<Element>, [Int], [Int]) throws(E) -> R
        ) throws(E) -> R { fatalError() }
    }
    public init<Scalar: BitwiseCopyable>(scalars: some Sequence<Scalar>, shape: [Int]) {}
    public func view<T: BitwiseCopyable>(as type: T.Type = T.self) -> View<T> { fatalError() }
}

public struct InferenceValue {
    public var ndArray: NDArray? { nil }
}

public struct InferenceFunction: Sendable {
    public struct MutableViews: ~Copyable { public init() {} }
    public struct Outputs: ~Copyable {
        public mutating func remove(_ name: String) -> InferenceValue? { fatalError() }
    }
    public func run(
        inputs: [String: NDArray], states: consuming MutableViews = MutableViews(),
        outputViews: consuming MutableViews = MutableViews()
    ) async throws -> Outputs { fatalError() }
}

public struct SpecializationOptions: Sendable { public init() {} }

public struct AIModel: Sendable {
    public init(contentsOf url: URL, options: SpecializationOptions = SpecializationOptions()) async throws {}
    public func loadFunction(named functionName: String) throws -> InferenceFunction? { nil }
}
