package pocketiqa.core

/** A photo in memory: 0xRRGGBB, row by row. */
internal class Pixels(override val width: Int, override val height: Int, val pixels: IntArray) : Photo {
    override fun read(y: Int, row: IntArray) {
        pixels.copyInto(row, 0, y * width, (y + 1) * width)
    }
}

/**
 * A part of a photo at the size of a view, antialiased, in two passes of which each rounds to 8 bits.
 *
 * The first goes along the rows, but where the height shrinks by over twice as many pixels as the width it goes along
 * the columns: so does Pillow since version 13, and the rounding in between shows.
 */
internal fun resize(photo: Photo, box: Box, spec: InputSpec): Pixels {
    val kernel = KERNELS.getValue(spec.resample)
    val across = weights(photo.width, box.left, box.right, spec.width, kernel)
    val down = weights(photo.height, box.top, box.bottom, spec.height, kernel)
    val shrinks = photo.height - spec.height
    val columnsFirst = shrinks > 0 && shrinks > 2 * (photo.width - spec.width)
    return if (columnsFirst) alongRows(alongColumns(photo, down), across) else alongColumns(Rows(photo, across), down)
}

/** Each row of a photo brought to the width of `across` when it is asked for. */
private class Rows(private val photo: Photo, private val across: Weights) : Photo {
    override val width = across.of.size
    override val height = photo.height
    private val source = IntArray(photo.width)

    override fun read(y: Int, row: IntArray) {
        photo.read(y, source)
        for (x in row.indices) {
            val weights = across.of[x]
            val first = across.first[x]
            var red = HALF
            var green = HALF
            var blue = HALF
            for (k in weights.indices) {
                val pixel = source[first + k]
                red += weights[k] * (pixel shr 16 and 255)
                green += weights[k] * (pixel shr 8 and 255)
                blue += weights[k] * (pixel and 255)
            }
            row[x] = packed(red, green, blue)
        }
    }
}

private fun alongRows(photo: Photo, across: Weights): Pixels {
    val rows = Rows(photo, across)
    val row = IntArray(rows.width)
    val pixels = IntArray(rows.width * rows.height)
    for (y in 0 until rows.height) {
        rows.read(y, row)
        row.copyInto(pixels, y * rows.width)
    }
    return Pixels(rows.width, rows.height, pixels)
}

/** Reads each row once, and adds it to all rows of the result that it is a part of. */
private fun alongColumns(photo: Photo, down: Weights): Pixels {
    val (width, height) = photo.width to down.of.size
    val sums = IntArray(3 * width * height) { HALF }
    val row = IntArray(width)
    for (y in down.begin until down.end) {
        photo.read(y, row)
        for (line in 0 until height) {
            val k = y - down.first[line]
            if (k !in down.of[line].indices) continue
            val weight = down.of[line][k]
            var place = 3 * width * line
            for (pixel in row) {
                sums[place++] += weight * (pixel shr 16 and 255)
                sums[place++] += weight * (pixel shr 8 and 255)
                sums[place++] += weight * (pixel and 255)
            }
        }
    }
    return Pixels(width, height, IntArray(width * height) { packed(sums[3 * it], sums[3 * it + 1], sums[3 * it + 2]) })
}

private const val HALF = 1 shl (WEIGHT_BITS - 1)

private fun packed(red: Int, green: Int, blue: Int): Int = (byte(red) shl 16) or (byte(green) shl 8) or byte(blue)

private fun byte(sum: Int): Int = (sum shr WEIGHT_BITS).coerceIn(0, 255)
