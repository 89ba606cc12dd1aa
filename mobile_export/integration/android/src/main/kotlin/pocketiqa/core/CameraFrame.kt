package pocketiqa.core

import java.nio.ByteBuffer
import kotlin.math.roundToInt

/** One plane of a frame: the byte of column x and row y lies at y * rowStride + x * pixelStride. */
class FramePlane(val bytes: ByteBuffer, val rowStride: Int, val pixelStride: Int) {
    internal fun at(x: Int, y: Int): Int = bytes.get(y * rowStride + x * pixelStride).toInt() and 255
}

/**
 * A camera's frame in YUV 4:2:0, full range with BT.601's weights, as a photo that stands upright.
 *
 * The planes may be padded and interleaved in any way that strides describe. A chroma value serves its 2 × 2 pixels.
 * `left`, `top`, `frameWidth` and `frameHeight` are the part of the sensor's picture that is shown; `rotation` is by
 * how many degrees clockwise it must be turned to stand upright.
 *
 * @throws PocketIqaException the rotation is not 0, 90, 180 or 270.
 */
class CameraFrame(
    private val y: FramePlane,
    private val u: FramePlane,
    private val v: FramePlane,
    private val left: Int,
    private val top: Int,
    private val frameWidth: Int,
    private val frameHeight: Int,
    private val rotation: Int,
) : Photo {
    init {
        if (rotation !in listOf(0, 90, 180, 270)) {
            throw PocketIqaException("a rotation of $rotation degrees; it must be 0, 90, 180 or 270")
        }
    }

    private val sideways = rotation % 180 != 0
    override val width = if (sideways) frameHeight else frameWidth
    override val height = if (sideways) frameWidth else frameHeight

    override fun read(y: Int, row: IntArray) {
        for (x in 0 until width) {
            row[x] = when (rotation) {
                0 -> pixel(x, y)
                90 -> pixel(y, frameHeight - 1 - x)
                180 -> pixel(frameWidth - 1 - x, frameHeight - 1 - y)
                else -> pixel(frameWidth - 1 - y, x)
            }
        }
    }

    private fun pixel(column: Int, line: Int): Int {
        val x = left + column
        val y = top + line
        val light = this.y.at(x, y)
        val blue = u.at(x / 2, y / 2) - 128
        val red = v.at(x / 2, y / 2) - 128
        val r = light + 1.402 * red
        val g = light - 0.344136 * blue - 0.714136 * red
        val b = light + 1.772 * blue
        return (byte(r) shl 16) or (byte(g) shl 8) or byte(b)
    }

    private fun byte(value: Double): Int = value.roundToInt().coerceIn(0, 255)
}
