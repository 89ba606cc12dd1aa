package pocketiqa

import android.graphics.ImageFormat
import android.media.Image
import pocketiqa.core.FramePlane

/** A camera's frame with these planes, as Android hands it over. */
class FakeImage(
    private val width: Int,
    private val height: Int,
    private val layout: List<FramePlane>,
    private val format: Int = ImageFormat.YUV_420_888,
) : Image() {
    init {
        mIsImageValid = true
    }

    override fun getFormat() = format

    override fun getWidth() = width

    override fun getHeight() = height

    override fun getTimestamp() = 0L

    override fun getTransform() = 0

    override fun getScalingMode() = 0

    override fun close() = Unit

    override fun getPlanes(): Array<Image.Plane> = layout.map(::FakePlane).toTypedArray()

    // Robolectric adds this member to Android's classes, unseen by the compiler.
    override fun `$$robo$getData`(): Any? = null
}

private class FakePlane(private val plane: FramePlane) : Image.Plane() {
    override fun getRowStride() = plane.rowStride

    override fun getPixelStride() = plane.pixelStride

    override fun getBuffer() = plane.bytes

    override fun `$$robo$getData`(): Any? = null
}
