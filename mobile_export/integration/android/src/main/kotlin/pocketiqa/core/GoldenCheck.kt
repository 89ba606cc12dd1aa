package pocketiqa.core

import kotlin.math.abs

/**
 * What a phone gives for the golden photos, against what the exporter measured.
 *
 * @property photos how many were compared.
 * @property largest the largest difference of any output.
 * @property worst the photo of that difference.
 * @property flips pairs of photos, clearly apart for the exporter, that this phone ranks the other way round.
 * @property bound what `largest` may be.
 */
class GoldenCheck(val photos: Int, val largest: Float, val worst: String, val flips: Int, val bound: Double) {
    val holds: Boolean get() = largest <= bound && flips == 0

    override fun toString(): String =
        "$photos golden photos: largest difference $largest ($worst), bound $bound, $flips flipped pairs: " +
            if (holds) "this phone scores as the exporter did" else "do not use these scores"
}

/**
 * Compares quality vectors, score first, photo by photo.
 *
 * @throws PocketIqaException there are no photos, or a photo's vectors have different lengths.
 */
fun compareGolden(expected: Map<String, FloatArray>, found: Map<String, FloatArray>, bound: Double): GoldenCheck {
    var (largest, worst) = -1f to ""
    for ((photo, vector) in expected) {
        val other = found[photo]
        if (other == null || other.size != vector.size) {
            throw PocketIqaException("$photo has ${other?.size ?: 0} outputs here and ${vector.size} in the manifest")
        }
        val gap = vector.indices.maxOf { i -> abs(vector[i] - other[i]).let { if (it.isNaN()) Float.MAX_VALUE else it } }
        if (gap > largest) { largest = gap; worst = photo }
    }
    if (expected.isEmpty()) throw PocketIqaException("the manifest names no golden photos for this variant")
    val pairs = expected.keys.toList()
    val flips = pairs.indices.sumOf { i ->
        (0 until i).count { j ->
            val apart = expected.getValue(pairs[i])[0] - expected.getValue(pairs[j])[0]
            val here = found.getValue(pairs[i])[0] - found.getValue(pairs[j])[0]
            abs(apart) >= CLEAR_DIFFERENCE && apart * here <= 0
        }
    }
    return GoldenCheck(expected.size, largest, worst, flips, bound)
}
