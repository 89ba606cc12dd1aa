package pocketiqa

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import pocketiqa.core.CameraFrame
import pocketiqa.core.FramePlane
import pocketiqa.core.PocketIqaException
import java.io.File
import java.nio.ByteBuffer

/** A frame's planes as the file has them, packed: Y, then U, then V. */
class Planes(val width: Int, val height: Int, packed: ByteArray) {
    private val chroma = (width / 2) * (height / 2)
    private val y = packed.copyOfRange(0, width * height)
    private val u = packed.copyOfRange(width * height, width * height + chroma)
    private val v = packed.copyOfRange(width * height + chroma, width * height + 2 * chroma)

    /** Each in a buffer of its own, every row followed by `padding` bytes that mean nothing. */
    fun planar(padding: Int) = listOf(spread(y, width, width + padding), chroma(u, padding), chroma(v, padding))

    /** U and V by turns in one buffer, as most cameras give them. */
    fun interleaved(padding: Int): List<FramePlane> {
        val stride = width + padding
        val both = ByteArray(stride * height / 2) { 99 }
        for (row in 0 until height / 2) for (x in 0 until width / 2) {
            both[row * stride + 2 * x] = u[row * width / 2 + x]
            both[row * stride + 2 * x + 1] = v[row * width / 2 + x]
        }
        // A camera's V plane begins at its first byte, and its last row ends with its last one.
        val fromV = ByteBuffer.wrap(both, 1, both.size - 1).slice()
        return listOf(spread(y, width, stride), FramePlane(ByteBuffer.wrap(both), stride, 2), FramePlane(fromV, stride, 2))
    }

    private fun chroma(plane: ByteArray, padding: Int) = spread(plane, width / 2, width / 2 + padding)

    private fun spread(plane: ByteArray, width: Int, stride: Int): FramePlane {
        val rows = plane.size / width
        val padded = ByteArray(stride * (rows - 1) + width) { 99 }
        for (row in 0 until rows) plane.copyInto(padded, row * stride, row * width, (row + 1) * width)
        return FramePlane(ByteBuffer.wrap(padded), stride, 1)
    }
}

fun framePlanes(): Planes = exchange().resolve("frames").listFiles()!!.single { "x" in it.extension }.let {
    val (width, height) = it.extension.split("x").map(String::toInt)
    Planes(width, height, it.readBytes())
}

class CameraFrameTest {
    private fun frame(planes: Planes, layout: List<FramePlane>, rotation: Int) =
        CameraFrame(layout[0], layout[1], layout[2], 0, 0, planes.width, planes.height, rotation)

    /** What Python compares with Pillow's conversion, turned. */
    @Test
    fun `a frame's pixels at each rotation, whatever the layout of its planes`() {
        val planes = framePlanes()
        for (rotation in listOf(0, 90, 180, 270)) {
            val pixels = frame(planes, planes.planar(0), rotation).bytes()
            for (layout in listOf(planes.planar(17), planes.interleaved(0), planes.interleaved(32))) {
                assertArrayEquals(pixels, frame(planes, layout, rotation).bytes())
            }
            File(exchange(), "frames/upright.$rotation").writeBytes(pixels)
        }
    }

    @Test
    fun `a part of the frame is that part of its pixels`() {
        val planes = framePlanes()
        val (y, u, v) = planes.planar(0)
        val whole = frame(planes, planes.planar(0), 0)
        val part = CameraFrame(y, u, v, 10, 6, 40, 20, 0)
        val row = IntArray(planes.width).also { whole.read(6, it) }
        val shown = IntArray(40).also { part.read(0, it) }
        assertArrayEquals(row.copyOfRange(10, 50), shown)
    }

    @Test
    fun `an odd angle is refused in words`() {
        val planes = framePlanes()
        val error = assertThrows(PocketIqaException::class.java) { frame(planes, planes.planar(0), 45) }
        assert(error.message == "a rotation of 45 degrees; it must be 0, 90, 180 or 270")
    }
}
