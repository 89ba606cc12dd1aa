package pocketiqa.core

import kotlin.math.min

/**
 * By how much the sides of a `width` × `height` photo are divided before its views are cut: the largest power of two that
 * leaves a short side, rounded up, of `enough` pixels at least; 1 where `enough` is null.
 */
fun halvingFactor(width: Int, height: Int, enough: Int?): Int {
    val short = min(width, height)
    var factor = 1
    while (enough != null && short > factor && (short + 2 * factor - 1) / (2 * factor) >= enough) factor *= 2
    return factor
}

/** What of that libjpeg can do while it decodes a JPEG: 1, 2, 4 or 8. */
fun jpegHalvingFactor(width: Int, height: Int, enough: Int?): Int = min(halvingFactor(width, height, enough), 8)

/** The photo, halved as often as its short side stays at `enough` or above; itself where it is small. */
internal fun halved(photo: Photo, enough: Int?): Photo {
    val factor = halvingFactor(photo.width, photo.height, enough)
    return if (factor == 1) photo else meansOfSquares(photo, factor)
}

/** Each pixel the mean of a square, rounded as Pillow's `Image.reduce` does; at the edges of as much as is there. */
private fun meansOfSquares(photo: Photo, factor: Int): Pixels {
    val width = (photo.width + factor - 1) / factor
    val height = (photo.height + factor - 1) / factor
    val pixels = IntArray(width * height)
    val row = IntArray(photo.width)
    val sums = IntArray(3 * width)
    for (line in 0 until height) {
        val rows = line * factor until min((line + 1) * factor, photo.height)
        sums.fill(0)
        for (y in rows) {
            photo.read(y, row)
            for (x in row.indices) {
                val place = 3 * (x / factor)
                sums[place] += row[x] shr 16 and 255
                sums[place + 1] += row[x] shr 8 and 255
                sums[place + 2] += row[x] and 255
            }
        }
        for (x in 0 until width) {
            val count = rows.count() * (min((x + 1) * factor, photo.width) - x * factor)
            fun mean(channel: Int) = ((sums[3 * x + channel] + count / 2).toLong() * ((1 shl 24) / count) shr 24).toInt()
            pixels[line * width + x] = (mean(0) shl 16) or (mean(1) shl 8) or mean(2)
        }
    }
    return Pixels(width, height, pixels)
}
