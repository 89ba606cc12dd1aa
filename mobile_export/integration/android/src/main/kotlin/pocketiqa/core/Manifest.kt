// What manifest.json says of a bundle: how to feed the network, what its files are, what the golden photos score.
package pocketiqa.core

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** Something that a person can put right; the message says what. */
class PocketIqaException(message: String, cause: Throwable? = null) : Exception(message, cause)

/** How a photo becomes the input tensor; `views` are `whole` and `detail`, in the order of the tensor's first axis. */
data class InputSpec(
    val height: Int,
    val width: Int,
    val views: List<String>,
    val detailShortSide: Int,
    val resample: String,
    val reduction: String = "none",
) {
    /** Pixels that must be left of a photo's short side when it is halved; null where no photo is halved. */
    val enough: Int? get() = if (reduction == "halves") maxOf(detailShortSide, height, width) * 7 / 5 else null

    /** What must be left of a picture's short side when it is halved for the `whole` view; null where none is. */
    val enoughForWhole: Int? get() = if (reduction == "halves") 2 * maxOf(height, width) else null

    /** Of the tensor: views, 3, height, width. */
    val shape: LongArray get() = longArrayOf(views.size.toLong(), 3, height.toLong(), width.toLong())
}

/** One file of a bundle: its size in bytes and its hexadecimal sha256. */
data class FileEntry(val bytes: Long, val sha256: String)

/**
 * The contract between factory and phone.
 *
 * `attributes` names the quality vector's entries after the score; `mapShape` is rows × columns of the map of local
 * quality, or null; `variants` are the programs' paths by name; `golden` has, by photo and variant, the quality vector
 * that the exporter measured; `gate` is the path of the gate's file, or empty.
 */
class Manifest(
    val name: String,
    val version: String,
    val input: InputSpec,
    val attributes: List<String>,
    val mapShape: Pair<Int, Int>?,
    val files: Map<String, FileEntry>,
    val variants: Map<String, String>,
    val golden: Map<String, Map<String, FloatArray>>,
    val gate: String,
) {
    companion object {
        /** @throws PocketIqaException the text is no manifest, or one that this version does not implement. */
        fun parse(text: String): Manifest = try {
            read(JSONObject(text))
        } catch (error: JSONException) {
            throw PocketIqaException("manifest.json cannot be read: ${error.message}; copy the bundle anew", error)
        }

        private fun read(json: JSONObject): Manifest {
            val schema = json.getInt("schema_version")
            if (schema !in 1..SCHEMA_VERSION) {
                throw PocketIqaException(
                    "manifest.json has schema_version $schema; this code reads 1 to $SCHEMA_VERSION: " +
                        "copy the bundle's own integration/android",
                )
            }
            val outputs = json.getJSONObject("outputs")
            val shape = outputs.optJSONObject("map")?.getJSONArray("shape")
            return Manifest(
                name = json.getString("name"),
                version = json.getString("version"),
                input = readInput(json.getJSONObject("input")),
                attributes = outputs.optJSONObject("attributes")?.getJSONArray("names").strings(),
                mapShape = shape?.let { it.getInt(0) to it.getInt(1) },
                files = json.getJSONObject("files").objects { FileEntry(it.getLong("bytes"), it.getString("sha256")) },
                variants = json.getJSONObject("variants").objects { it.getString("path") },
                golden = (json.optJSONObject("golden") ?: JSONObject()).objects { photo ->
                    photo.keys().asSequence().associateWith { photo.getJSONArray(it).floats() }
                },
                gate = json.optString("gate"),
            )
        }

        private fun readInput(json: JSONObject): InputSpec {
            for ((field, only) in FIXED_INPUT) {
                val found = json.opt(field)?.toString() ?: continue
                if (found != only) throw notImplemented(field, found, only)
            }
            json.optJSONArray("value_range")?.let { range ->
                if (range.floats().toList() != listOf(0f, 1f)) throw notImplemented("value_range", "$range", "[0, 1]")
            }
            val views = json.getJSONArray("views").strings()
            val resample = json.getString("resample")
            val known = KERNELS.keys.joinToString()
            if (resample !in KERNELS) throw notImplemented("resample", resample, known)
            views.firstOrNull { it !in VIEWS }?.let { throw notImplemented("views", it, VIEWS.joinToString()) }
            val reduction = json.optString("reduction", "none")
            if (reduction !in REDUCTIONS) throw notImplemented("reduction", reduction, REDUCTIONS.joinToString())
            val side = json.getInt("detail_short_side")
            return InputSpec(json.getInt("height"), json.getInt("width"), views, side, resample, reduction)
        }

        private fun notImplemented(field: String, found: String, known: String) = PocketIqaException(
            "manifest.json has an input whose $field is $found; this code implements $known: " +
                "copy the bundle's own integration/android",
        )
    }
}

private fun JSONArray?.strings(): List<String> = if (this == null) emptyList() else List(length()) { getString(it) }

private fun JSONArray.floats() = FloatArray(length()) { getDouble(it).toFloat() }

private fun <T> JSONObject.objects(read: (JSONObject) -> T): Map<String, T> =
    keys().asSequence().associateWith { read(getJSONObject(it)) }
