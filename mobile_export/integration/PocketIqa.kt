// Scores photos with a pocketiqa bundle on Android (API 28 and newer). Copy this file and the bundle into an app that
// depends on org.pytorch:executorch-android. It decodes, resizes and scores exactly as manifest.json describes.
package pocketiqa

import android.graphics.Bitmap
import android.graphics.ColorSpace
import android.graphics.ImageDecoder
import org.json.JSONObject
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor
import java.io.File
import kotlin.math.*

// constants: generated from manifest.json by `python -m mobile_export.integration`
const val HEIGHT = 320
const val WIDTH = 320
const val DETAIL_SHORT_SIDE = 1024.0
const val CUBIC_A = -0.5
const val GOLDEN_BOUND = 0.01
val VIEWS = listOf("whole", "detail")
val ATTRIBUTES = listOf("sharpness", "noise", "exposure", "contrast", "colour", "compression")
// end of constants

class Quality(val score: Float, val attributes: Map<String, Float>, val map: FloatArray)

/** Pixels as planes R, G, B of height × width unsigned bytes. */
class Planes(val width: Int, val height: Int, val bytes: ByteArray)

class PocketIqa(private val bundle: File) {
    private val module = Module.load(File(bundle, "xnnpack/student_int8.pte").path)

    /** The golden check: throws when this phone does not score as the exporter did. Call it once at start-up. */
    fun checkGolden() {
        val golden = JSONObject(File(bundle, "manifest.json").readText()).getJSONObject("golden")
        for (name in golden.keys()) {
            val expected = golden.getJSONObject(name).getJSONArray("int8").getDouble(0)
            val found = score(decode(File(bundle, name))).score
            check(abs(found - expected) <= GOLDEN_BOUND) { "$name scores $found here and $expected as exported" }
        }
    }

    fun score(photo: Bitmap): Quality {
        val planes = planesOf(photo)
        val input = VIEWS.flatMap { view(planes, it).asIterable() }.toFloatArray()
        val shape = longArrayOf(VIEWS.size.toLong(), 3, HEIGHT.toLong(), WIDTH.toLong())
        val outputs = module.forward(EValue.from(Tensor.fromBlob(input, shape)))
        val quality = outputs[0].toTensor().dataAsFloatArray
        return Quality(quality[0], ATTRIBUTES.zip(quality.drop(1)).toMap(), outputs[1].toTensor().dataAsFloatArray)
    }

    /** Upright and in sRGB; the decoder applies the EXIF orientation and the colour profile. */
    fun decode(file: File): Bitmap = ImageDecoder.decodeBitmap(ImageDecoder.createSource(file)) { decoder, _, _ ->
        decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
        decoder.setTargetColorSpace(ColorSpace.get(ColorSpace.Named.SRGB))
    }

    private fun planesOf(photo: Bitmap): Planes {
        val (width, height) = photo.width to photo.height
        val planes = Planes(width, height, ByteArray(3 * width * height))
        val row = IntArray(width)
        for (y in 0 until height) {
            photo.getPixels(row, 0, width, 0, y, width, 1)
            for (x in 0 until width) for (channel in 0 until 3) {
                planes.bytes[(channel * height + y) * width + x] = (row[x] shr (16 - 8 * channel)).toByte()
            }
        }
        return planes
    }
}

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
