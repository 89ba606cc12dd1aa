package pocketiqa

import org.junit.Assume.assumeTrue
import pocketiqa.core.Photo
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** The folder that tests/mobile_export/test_android.py fills and reads; without it the tests that need it are skipped. */
fun exchange(): File {
    val path = System.getProperty("pocketiqa.exchange").orEmpty()
    assumeTrue("run tests/mobile_export/test_android.py, which makes the photos", File(path).isDirectory)
    return File(path)
}

/** Pixels R, G, B as Pillow decoded them. */
class RawPhoto(override val width: Int, override val height: Int, private val bytes: ByteArray) : Photo {
    override fun read(y: Int, row: IntArray) {
        for (x in 0 until width) {
            val place = 3 * (y * width + x)
            row[x] = byte(place) shl 16 or (byte(place + 1) shl 8) or byte(place + 2)
        }
    }

    private fun byte(place: Int) = bytes[place].toInt() and 255
}

/** A photo's pixels, R, G, B. */
fun Photo.bytes(): ByteArray {
    val out = ByteArray(3 * width * height)
    val row = IntArray(width)
    for (y in 0 until height) {
        read(y, row)
        for (x in 0 until width) for (channel in 0 until 3) {
            out[3 * (y * width + x) + channel] = (row[x] shr (16 - 8 * channel)).toByte()
        }
    }
    return out
}

/** Little-endian float32, as numpy's `<f4`. */
fun FloatArray.bytes(): ByteArray {
    val out = ByteBuffer.allocate(4 * size).order(ByteOrder.LITTLE_ENDIAN)
    forEach(out::putFloat)
    return out.array()
}
