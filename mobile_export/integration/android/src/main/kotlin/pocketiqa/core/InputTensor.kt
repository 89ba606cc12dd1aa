// A photo's pixels to the tensor that manifest.json describes under `input`.
package pocketiqa.core

import kotlin.math.max
import kotlin.math.min

/** An upright photo in 8-bit sRGB, read row by row, so that a large photo is never held twice. */
interface Photo {
    val width: Int
    val height: Int

    /** Fills `row`, of `width` entries, with the pixels of row `y`, each 0xRRGGBB; the upper byte is ignored. */
    fun read(y: Int, row: IntArray)
}

/**
 * The network's input: views × 3 × height × width floats in [0, 1], channels R, G, B.
 *
 * @param isHalved whether the photo was halved while it was decoded, as `spec` allows.
 * @throws PocketIqaException the photo is smaller or larger than any that is judged.
 */
fun inputTensor(photo: Photo, spec: InputSpec, isHalved: Boolean = false): FloatArray {
    checkSize(photo.width, photo.height)
    val source = halved(photo, spec.enough)
    val tensor = FloatArray(spec.views.size * 3 * spec.height * spec.width)
    spec.views.forEachIndexed { index, view ->
        val pixels = if (view == "whole") whole(source, spec) else detail(source, spec, isHalved || source !== photo)
        for (channel in 0 until 3) {
            val start = (index * 3 + channel) * pixels.size
            for (i in pixels.indices) tensor[start + i] = (pixels[i] shr (16 - 8 * channel) and 255) / 255f
        }
    }
    return tensor
}

private fun whole(photo: Photo, spec: InputSpec): IntArray {
    val source = halved(photo, spec.enoughForWhole)
    return resize(source, Box(0f, 0f, source.width.toFloat(), source.height.toFloat()), spec).pixels
}

/** Halving takes a little of the finest detail, bicubic a little more, and Lanczos gives as much back: their mean. */
private fun detail(photo: Photo, spec: InputSpec, isHalved: Boolean): IntArray {
    val box = detailBox(photo, spec)
    val bicubic = resize(photo, box, spec).pixels
    if (!isHalved) return bicubic
    val lanczos = resize(photo, box, spec.copy(resample = "lanczos")).pixels
    // Each byte's mean, rounded down: what both have, and half of what one has.
    return IntArray(bicubic.size) { (bicubic[it] and lanczos[it]) + ((bicubic[it] xor lanczos[it]) and 0xfefefe shr 1) }
}

/** @throws PocketIqaException a `width` × `height` photo is outside what is judged. */
fun checkSize(width: Int, height: Int) {
    if (min(width, height) < MIN_SIDE) {
        throw PocketIqaException(
            "$width×$height pixels is too small to be judged; each side needs at least $MIN_SIDE",
        )
    }
    if (width.toLong() * height > MAX_PIXELS) {
        throw PocketIqaException("$width×$height pixels is over the limit of $MAX_PIXELS pixels; downscale the photo")
    }
}

/** The part of a photo that becomes a view, in its own pixels. */
internal class Box(val left: Float, val top: Float, val right: Float, val bottom: Float)

/**
 * The centre at native pixels, of a photo over detail_short_side after a reduction to it, and of one smaller than the
 * view after an enlargement.
 */
private fun detailBox(photo: Photo, spec: InputSpec): Box {
    val (width, height) = photo.width.toDouble() to photo.height.toDouble()
    val reduce = min(1.0, spec.detailShortSide / min(width, height))
    val scale = max(reduce, max(spec.width / width, spec.height / height))
    val (across, down) = spec.width / scale to spec.height / scale
    var left = max(0.0, (width - across) / 2)
    var top = max(0.0, (height - down) / 2)
    if (scale == 1.0) { left = left.toInt().toDouble(); top = top.toInt().toDouble() }
    val (right, bottom) = min(left + across, width) to min(top + down, height)
    return Box(left.toFloat(), top.toFloat(), right.toFloat(), bottom.toFloat())
}
