// Scores photos with a pocketiqa bundle on iOS 17 and newer, through Core ML. Copy this file and the bundle into an
// app. It decodes, resizes and scores exactly as manifest.json describes.
import CoreML
import ImageIO

// constants: generated from manifest.json by `python -m mobile_export.integration`
let height = 320
let width = 320
let views: [String] = ["whole", "detail"]
let detailShortSide = 1024.0
let cubicA = -0.5
let attributes: [String] = ["sharpness", "noise", "exposure", "contrast", "colour", "compression"]
let goldenBound = 0.01
// end of constants

struct Quality { let score: Float; let attributes: [String: Float]; let map: MLMultiArray? }  // some give no map

enum PocketIqaError: Error { case unreadable(URL), golden(String) }
/// Pixels as planes R, G, B of height × width bytes.
struct Planes { let width: Int, height: Int; var bytes: [UInt8] }

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

/// One view, 3 × height × width bytes.
func view(_ photo: Planes, _ name: String) -> [UInt8] {
    var (left, top, across, down) = (0.0, 0.0, Double(photo.width), Double(photo.height))
    if name == "detail" {
        let reduce = min(1, detailShortSide / min(across, down))
        let scale = max(reduce, Double(width) / across, Double(height) / down)
        left = max(0, (across - Double(width) / scale) / 2)
        top = max(0, (down - Double(height) / scale) / 2)
        if scale == 1 { left = left.rounded(.down); top = top.rounded(.down) }
        across = min(Double(width) / scale, across - left)
        down = min(Double(height) / scale, down - top)
    }
    // Each pass turns rows into columns, so two of them resize both axes and turn the picture back.
    return resample(resample(photo, width, left, left + across), height, top, top + down).bytes
}

/// [begin, end) of the horizontal axis onto `size` pixels: antialiased bicubic, rounded to 8 bits; transposed.
func resample(_ source: Planes, _ size: Int, _ begin: Double, _ end: Double) -> Planes {
    let step = (end - begin) / Double(size), widening = max(step, 1)
    var result = Planes(width: source.height, height: size, bytes: .init(repeating: 0, count: 3 * size * source.height))
    for x in 0..<size {
        let centre = begin + (Double(x) + 0.5) * step
        let first = max(0, Int(centre - 2 * widening + 0.5)), last = min(source.width, Int(centre + 2 * widening + 0.5))
        let weights = (first..<last).map { cubic((Double($0) - centre + 0.5) / widening) }
        let total = weights.reduce(0, +)
        for line in 0..<3 * source.height {
            let start = line * source.width + first
            let sum = zip(weights, source.bytes[start..<start + weights.count]).reduce(0) { $0 + $1.0 * Double($1.1) }
            let place = (line / source.height * size + x) * source.height + line % source.height
            result.bytes[place] = UInt8(min(255, max(0, (sum / total).rounded())))
        }
    }
    return result
}

func cubic(_ x: Double) -> Double {
    let t = abs(x)
    if t < 1 { return ((cubicA + 2) * t - (cubicA + 3)) * t * t + 1 }
    return t < 2 ? (((t - 5) * t + 8) * t - 4) * cubicA : 0
}
