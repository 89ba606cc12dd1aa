import Foundation

/// A resampling filter: zero beyond `support` source pixels at scale 1.
struct Kernel: Sendable {
    let support: Double
    let at: @Sendable (Double) -> Double
}

let kernels = [
    "bilinear": Kernel(support: 1) { max(0, 1 - abs($0)) },
    "bicubic": Kernel(support: 2, at: cubic),
    "lanczos": Kernel(support: 3) { -3 <= $0 && $0 < 3 ? sinc($0) * sinc($0 / 3) : 0 },
]

/// Keys' kernel; "Cubic convolution interpolation for digital image processing", 1981.
@Sendable private func cubic(_ x: Double) -> Double {
    let (t, a) = (abs(x), Contract.cubicA)
    if t < 1 { return ((a + 2) * t - (a + 3)) * t * t + 1 }
    return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0
}

@Sendable private func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(x * .pi) / (x * .pi) }

/// What each output pixel of one axis adds up.
struct Weights {
    /// Of each output pixel, the first source pixel.
    var first: [Int] = []
    /// Of each output pixel, what that one and the next ones weigh, in 1/2^weightBits.
    var of: [[Int32]] = []
    /// The source pixels that any output pixel reads.
    var read: Range<Int> { first[0]..<first[first.count - 1] + of[of.count - 1].count }

    /// The weights that bring [begin, end) of an axis of `length` pixels onto `size` pixels. The kernel widens with
    /// the reduction. Ends and weights are rounded where Pillow rounds them (float32, then 22 bits), so that the
    /// pixels are Pillow's to the bit.
    init(length: Int, begin: Float, end: Float, size: Int, kernel: Kernel) {
        let step = Double(end - begin) / Double(size)
        let widening = max(step, 1)
        let support = kernel.support * widening
        let narrowing = 1 / widening
        for x in 0..<size {
            let centre = Double(begin) + (Double(x) + 0.5) * step
            let from = max(0, Int(centre - support + 0.5))
            let to = min(length, Int(centre + support + 0.5))
            let values = (from..<to).map { kernel.at((Double($0) - centre + 0.5) * narrowing) }
            let total = values.reduce(0, +)
            first.append(from)
            of.append(values.map { fixedPoint(total != 0 ? $0 / total : $0) })
        }
    }
}

private func fixedPoint(_ weight: Double) -> Int32 {
    Int32(weight * Double(1 << Contract.weightBits) + (weight < 0 ? -0.5 : 0.5))
}
