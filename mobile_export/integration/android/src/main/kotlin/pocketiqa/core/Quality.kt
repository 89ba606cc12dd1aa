package pocketiqa.core

import java.io.Closeable

/** A network that is loaded: takes the input tensor, gives the quality vector and, where it has one, the map. */
interface Program : Closeable {
    /** Outputs in the program's order, each float32 and flat. Called by one thread at a time. */
    fun run(input: FloatArray, shape: LongArray): List<FloatArray>
}

/** Local quality in [0, 1] over the whole photo: `rows` × `columns` values, row by row from the top left. */
class QualityMap(val rows: Int, val columns: Int, val values: FloatArray)

/**
 * What a photo got.
 *
 * @property score overall quality from 0 (bad) to 1 (excellent).
 * @property attributes by name, each from 0 (bad) to 1 (good); empty where the network gives none.
 * @property map local quality, or null where the network gives none.
 */
class Quality(val score: Float, val attributes: Map<String, Float>, val map: QualityMap?)

/** @throws PocketIqaException the outputs are not those that the manifest describes, or no numbers. */
internal fun qualityOf(outputs: List<FloatArray>, manifest: Manifest): Quality {
    val sizes = listOf(1 + manifest.attributes.size) + listOfNotNull(manifest.mapShape?.let { it.first * it.second })
    if (outputs.map { it.size } != sizes) {
        throw PocketIqaException(
            "the program gives outputs of ${outputs.map { it.size }} numbers, the manifest says $sizes; " +
                "copy the bundle anew",
        )
    }
    if (outputs.any { output -> output.any { it.isNaN() || it.isInfinite() } }) {
        throw PocketIqaException("the program gave a score that is no number; run checkGolden() on this phone")
    }
    return Quality(
        outputs[0][0],
        manifest.attributes.zip(outputs[0].drop(1)).toMap(),
        manifest.mapShape?.let { (rows, columns) -> QualityMap(rows, columns, outputs[1]) },
    )
}
