// Scores photos with a pocketiqa bundle on Android (API 28 and newer). Copy this file, Preprocessing.kt and the bundle
// into an app that depends on org.pytorch:executorch-android. It decodes and scores as manifest.json describes.
package pocketiqa

import android.graphics.Bitmap
import android.graphics.ColorSpace
import android.graphics.ImageDecoder
import org.json.JSONObject
import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor
import java.io.File
import kotlin.math.abs

/** `map` is local quality over the whole view, row by row; null where the network gives none. */
class Quality(val score: Float, val attributes: Map<String, Float>, val map: FloatArray?)

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
        val map = outputs.getOrNull(1)?.toTensor()?.dataAsFloatArray
        return Quality(quality[0], ATTRIBUTES.zip(quality.drop(1)).toMap(), map)
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
