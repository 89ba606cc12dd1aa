// A decoded photo to the input that manifest.json describes, in plain Swift: it runs wherever Swift does.

// constants: generated from manifest.json by `python -m mobile_export integration`
let height = 320
let width = 320
let views: [String] = ["whole", "detail"]
let detailShortSide = 1024.0
let cubicA = -0.5
let attributes: [String] = ["sharpness", "noise", "exposure", "contrast", "colour", "compression"]
let goldenBound = 0.01
// end of constants

/// Pixels as planes R, G, B of height × width bytes.
struct Planes { let width: Int, height: Int; var bytes: [UInt8] }

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
