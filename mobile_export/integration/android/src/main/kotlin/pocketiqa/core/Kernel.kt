package pocketiqa.core

import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sin

/** A resampling filter: zero beyond `support` source pixels at scale 1. */
internal class Kernel(val support: Double, val at: (Double) -> Double)

internal val KERNELS = mapOf(
    "bilinear" to Kernel(1.0) { x -> max(0.0, 1.0 - abs(x)) },
    "bicubic" to Kernel(2.0, ::cubic),
    "lanczos" to Kernel(3.0) { x -> if (-3.0 <= x && x < 3.0) sinc(x) * sinc(x / 3.0) else 0.0 },
)

/** Keys' kernel; "Cubic convolution interpolation for digital image processing", 1981. */
private fun cubic(x: Double): Double {
    val t = abs(x)
    if (t < 1.0) return ((CUBIC_A + 2.0) * t - (CUBIC_A + 3.0)) * t * t + 1
    return if (t < 2.0) (((t - 5) * t + 8) * t - 4) * CUBIC_A else 0.0
}

private fun sinc(x: Double): Double = if (x == 0.0) 1.0 else sin(x * PI) / (x * PI)

/** What each output pixel of one axis adds up: source pixels from `first[x]` on, weighed in 1/2^WEIGHT_BITS. */
internal class Weights(val first: IntArray, val of: Array<IntArray>) {
    /** The source pixels that any output pixel reads. */
    val begin: Int get() = first.first()
    val end: Int get() = first.last() + of.last().size
}

/**
 * The weights that bring [begin, end) of an axis of `length` pixels onto `size` pixels. The kernel widens with the
 * reduction. Ends and weights are rounded where Pillow rounds them (float32, then 22 bits), so that the pixels are
 * Pillow's to the bit.
 */
internal fun weights(length: Int, begin: Float, end: Float, size: Int, kernel: Kernel): Weights {
    val step = (end - begin).toDouble() / size
    val widening = max(step, 1.0)
    val support = kernel.support * widening
    val narrowing = 1.0 / widening
    val first = IntArray(size)
    val of = Array(size) { x ->
        val centre = begin + (x + 0.5) * step
        first[x] = max(0, (centre - support + 0.5).toInt())
        val last = min(length, (centre + support + 0.5).toInt())
        val values = DoubleArray(last - first[x]) { kernel.at((it + first[x] - centre + 0.5) * narrowing) }
        val total = values.sum()
        IntArray(values.size) { fixedPoint(if (total != 0.0) values[it] / total else values[it]) }
    }
    return Weights(first, of)
}

private fun fixedPoint(weight: Double): Int {
    val scaled = weight * (1 shl WEIGHT_BITS)
    return (if (weight < 0) scaled - 0.5 else scaled + 0.5).toInt()
}
