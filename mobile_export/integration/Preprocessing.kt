// A decoded photo to the input that manifest.json describes, in plain Kotlin: it runs on any JVM, Android's or a desk's.
package pocketiqa

import kotlin.math.*

// constants: generated from manifest.json by `python -m mobile_export integration`
const val HEIGHT = 320
const val WIDTH = 320
const val DETAIL_SHORT_SIDE = 1024.0
const val CUBIC_A = -0.5
const val GOLDEN_BOUND = 0.01
val VIEWS = listOf<String>("whole", "detail")
val ATTRIBUTES = listOf<String>("sharpness", "noise", "exposure", "contrast", "colour", "compression")
// end of constants

/** Pixels as planes R, G, B of height × width unsigned bytes. */
class Planes(val width: Int, val height: Int, val bytes: ByteArray)

/** One view, 3 × HEIGHT × WIDTH in [0, 1]. */
fun view(photo: Planes, name: String): FloatArray {
    var (left, top) = 0.0 to 0.0
    var (width, height) = photo.width.toDouble() to photo.height.toDouble()
    if (name == "detail") {
        val reduce = min(1.0, DETAIL_SHORT_SIDE / min(width, height))
        val scale = max(reduce, max(WIDTH / width, HEIGHT / height))
        left = max(0.0, (width - WIDTH / scale) / 2)
        top = max(0.0, (height - HEIGHT / scale) / 2)
        if (scale == 1.0) { left = left.toInt().toDouble(); top = top.toInt().toDouble() }
        width = min(WIDTH / scale, width - left)
        height = min(HEIGHT / scale, height - top)
    }
    // Each pass turns rows into columns, so two of them resize both axes and turn the picture back.
    val turned = resample(photo, WIDTH, left, left + width)
    val planes = resample(turned, HEIGHT, top, top + height)
    return FloatArray(planes.bytes.size) { (planes.bytes[it].toInt() and 255) / 255f }
}

/** [begin, end) of the horizontal axis onto `size` pixels: antialiased bicubic, rounded to 8 bits; transposed. */
fun resample(source: Planes, size: Int, begin: Double, end: Double): Planes {
    val step = (end - begin) / size
    val widening = max(step, 1.0)
    val result = Planes(source.height, size, ByteArray(3 * size * source.height))
    for (x in 0 until size) {
        val centre = begin + (x + 0.5) * step
        val first = max(0, (centre - 2 * widening + 0.5).toInt())
        val last = min(source.width, (centre + 2 * widening + 0.5).toInt())
        val weights = DoubleArray(last - first) { cubic((first + it - centre + 0.5) / widening) }
        val total = weights.sum()
        for (line in 0 until 3 * source.height) {
            var sum = 0.0
            val start = line * source.width + first
            for (k in weights.indices) sum += weights[k] * (source.bytes[start + k].toInt() and 255)
            val place = (line / source.height * size + x) * source.height + line % source.height
            result.bytes[place] = (sum / total).roundToInt().coerceIn(0, 255).toByte()
        }
    }
    return result
}

private fun cubic(x: Double): Double {
    val t = abs(x)
    if (t < 1) return ((CUBIC_A + 2) * t - (CUBIC_A + 3)) * t * t + 1
    return if (t < 2) (((t - 5) * t + 8) * t - 4) * CUBIC_A else 0.0
}
