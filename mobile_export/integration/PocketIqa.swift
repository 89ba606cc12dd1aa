// Scores photos with a pocketiqa bundle on iOS 17 and newer, through Core ML. Copy this file, Preprocessing.swift and the
// bundle into an app. It decodes and scores as manifest.json describes.
import CoreML
import ImageIO

/// `map` is local quality over the whole view; nil where the network gives none.
struct Quality { let score: Float; let attributes: [String: Float]; let map: MLMultiArray? }

enum PocketIqaError: Error { case unreadable(URL), golden(String) }

final class PocketIqa {
    private let bundle: URL
    private let model: MLModel

    init(bundle: URL) throws {
        self.bundle = bundle
        let package = bundle.appendingPathComponent("coreml/student_fp16.mlpackage")
        model = try MLModel(contentsOf: MLModel.compileModel(at: package))
    }

    /// The golden check: throws when this phone does not score as the exporter did. Call it once at start-up.
    func checkGolden() throws {
        let manifest = try Data(contentsOf: bundle.appendingPathComponent("manifest.json"))
        let json = try JSONSerialization.jsonObject(with: manifest) as? [String: Any]
        for (name, scores) in json?["golden"] as? [String: [String: [Double]]] ?? [:] {
            let expected = scores["fp32"]?[0] ?? .nan
            let found = try score(bundle.appendingPathComponent(name)).score
            guard abs(Double(found) - expected) <= goldenBound else {
                throw PocketIqaError.golden("\(name) scores \(found) here and \(expected) as exported")
            }
        }
    }

    func score(_ photo: URL) throws -> Quality {
        let planes = try decode(photo)
        let input = try MLMultiArray(shape: [views.count, 3, height, width].map(NSNumber.init), dataType: .float32)
        input.withUnsafeMutableBufferPointer(ofType: Float.self) { buffer, _ in
            for (number, name) in views.enumerated() {
                for (index, value) in view(planes, name).enumerated() {
                    buffer[number * 3 * height * width + index] = Float(value) / 255
                }
            }
        }
        let outputs = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: ["photo": input]))
        let quality = outputs.featureValue(for: "quality")!.multiArrayValue!
        let named = attributes.enumerated().map { ($1, quality[$0 + 1].floatValue) }
        return Quality(score: quality[0].floatValue, attributes: Dictionary(uniqueKeysWithValues: named),
                       map: outputs.featureValue(for: "map")?.multiArrayValue)
    }

    /// Upright and in sRGB; ImageIO applies the EXIF orientation, the drawing the colour profile.
    func decode(_ photo: URL) throws -> Planes {
        let upright = [kCGImageSourceCreateThumbnailFromImageAlways: true, kCGImageSourceThumbnailMaxPixelSize: 1 << 16,
                       kCGImageSourceCreateThumbnailWithTransform: true] as CFDictionary
        guard let source = CGImageSourceCreateWithURL(photo as CFURL, nil),
              let image = CGImageSourceCreateThumbnailAtIndex(source, 0, upright),
              let context = CGContext(data: nil, width: image.width, height: image.height, bitsPerComponent: 8,
                                      bytesPerRow: 4 * image.width, space: CGColorSpace(name: CGColorSpace.sRGB)!,
                                      bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
        else { throw PocketIqaError.unreadable(photo) }
        context.draw(image, in: CGRect(x: 0, y: 0, width: image.width, height: image.height))
        let count = image.width * image.height
        let pixels = context.data!.bindMemory(to: UInt8.self, capacity: 4 * count)
        let bytes = (0..<3 * count).map { pixels[4 * ($0 % count) + $0 / count] }
        return Planes(width: image.width, height: image.height, bytes: bytes)
    }
}
