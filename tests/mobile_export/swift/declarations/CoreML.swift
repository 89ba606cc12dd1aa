// The members of Core ML that the Apple layer calls, as Apple's documentation declares them.
import Foundation

public final class MLModelConfiguration { public init() {} }

public final class MLPredictionOptions { public init() {} }

public final class MLMultiArray {}

public protocol MLShapedArrayScalar {}
extension Float: MLShapedArrayScalar {}

public struct MLShapedArray<Scalar: MLShapedArrayScalar> {
    public init<S: Sequence>(scalars: S, shape: [Int]) where S.Element == Scalar {}
    public init(converting multiArray: MLMultiArray) {}
    public var scalars: [Scalar] { [] }
}

public final class MLFeatureValue {
    public init<Scalar: MLShapedArrayScalar>(shapedArray: MLShapedArray<Scalar>) {}
    public var multiArrayValue: MLMultiArray? { nil }
}

public protocol MLFeatureProvider { func featureValue(for featureName: String) -> MLFeatureValue? }

public final class MLDictionaryFeatureProvider: MLFeatureProvider {
    public init(dictionary: [String: Any]) throws {}
    public func featureValue(for featureName: String) -> MLFeatureValue? { nil }
}

public class MLModel {
    public class func compileModel(at modelURL: URL) async throws -> URL { modelURL }
    public class func load(
        contentsOf url: URL, configuration: MLModelConfiguration = MLModelConfiguration()
    ) async throws -> MLModel { fatalError() }
    public func prediction(
        from input: any MLFeatureProvider, options: MLPredictionOptions
    ) throws -> any MLFeatureProvider { fatalError() }
    public func prediction(
        from input: any MLFeatureProvider, options: MLPredictionOptions = MLPredictionOptions()
    ) async throws -> any MLFeatureProvider { fatalError() }
}
