// What Android has as photos, as the core reads them.
package pocketiqa.android

import android.graphics.Bitmap
import android.graphics.ColorSpace
import android.graphics.ImageDecoder
import android.graphics.ImageFormat
import android.media.Image
import android.util.Size
import pocketiqa.core.CameraFrame
import pocketiqa.core.Photo
import pocketiqa.core.FramePlane
import pocketiqa.core.PocketIqaException
import pocketiqa.core.checkSize
import pocketiqa.core.jpegHalvingFactor
import java.io.IOException
import java.nio.ByteBuffer

/**
 * An encoded photo (JPEG, PNG, WebP, HEIF: what this Android decodes), upright and in sRGB: the decoder applies the
 * EXIF orientation and the colour profile. A JPEG of even sides is halved while it is decoded as often as its short side
 * stays at `enough` or above, by libjpeg's own scales; of other formats Android would leave pixels out, so these come
 * whole.
 *
 * @throws PocketIqaException no picture, a damaged one, or a size that is not judged.
 */
internal fun decode(encoded: ByteArray, enough: Int? = null): Decoded = try {
    var factor = 1
    val bitmap = ImageDecoder.decodeBitmap(ImageDecoder.createSource(ByteBuffer.wrap(encoded))) { decoder, info, _ ->
        checkSize(info.size.width, info.size.height)
        factor = if (info.mimeType == "image/jpeg") evenFactor(info.size, enough) else 1
        decoder.setTargetSampleSize(factor)
        decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
        decoder.isUnpremultipliedRequired = true
        decoder.setTargetColorSpace(ColorSpace.get(ColorSpace.Named.SRGB))
    }
    Decoded(bitmap, factor > 1)
} catch (error: IOException) {
    throw PocketIqaException("Android cannot decode this photo: ${error.message}", error)
}

/** Android rounds half a side down where libjpeg rounds it up, and resizes; cameras write sides that can be halved. */
private fun evenFactor(size: Size, enough: Int?): Int {
    val factor = jpegHalvingFactor(size.width, size.height, enough)
    return if (size.width % factor == 0 && size.height % factor == 0) factor else 1
}

internal class Decoded(val bitmap: Bitmap, val isHalved: Boolean)

/** A bitmap's pixels, as Android converts them to sRGB; what is transparent lies on white. */
internal class BitmapPhoto(bitmap: Bitmap) : Photo {
    // The pixels of a hardware bitmap cannot be read.
    private val bitmap =
        if (bitmap.config == Bitmap.Config.HARDWARE) bitmap.copy(Bitmap.Config.ARGB_8888, false) else bitmap
    override val width = bitmap.width
    override val height = bitmap.height

    override fun read(y: Int, row: IntArray) {
        bitmap.getPixels(row, 0, width, 0, y, width, 1)
        if (bitmap.hasAlpha()) for (x in 0 until width) row[x] = onWhite(row[x])
    }

    private fun onWhite(pixel: Int): Int {
        val alpha = pixel ushr 24
        if (alpha == 255) return pixel
        fun mixed(shift: Int) = ((pixel shr shift and 255) * alpha + 255 * (255 - alpha) + 127) / 255 shl shift
        return mixed(16) or mixed(8) or mixed(0)
    }
}

/**
 * A camera's frame, of `YUV_420_888`; `rotation` is how many degrees clockwise turn it upright (CameraX:
 * `imageInfo.rotationDegrees`). The frame is read while it is scored: close it afterwards.
 *
 * @throws PocketIqaException another format or rotation.
 */
internal fun cameraFrame(image: Image, rotation: Int): CameraFrame {
    if (image.format != ImageFormat.YUV_420_888) {
        throw PocketIqaException("a frame of format ${image.format}; ask the camera for ImageFormat.YUV_420_888")
    }
    val (y, u, v) = image.planes.map { FramePlane(it.buffer, it.rowStride, it.pixelStride) }
    val shown = image.cropRect
    return CameraFrame(y, u, v, shown.left, shown.top, shown.width(), shown.height(), rotation)
}
