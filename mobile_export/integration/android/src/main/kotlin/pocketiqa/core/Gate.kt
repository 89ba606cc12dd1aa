// May this photo be used? What pocketiqa.gate decides in Python, on the same values.
package pocketiqa.core

import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject
import java.util.Locale
import kotlin.math.floor

/** The least value that `measure` (`score` or an attribute) must have; `words` say what a photo is that has less. */
class Threshold(val measure: String, val least: Double, val words: String)

/** The reasons of a refused photo: what refuses it, then hints. */
class Decision(val accepted: Boolean, val reasons: List<String>)

/** What a photo needs: each of `thresholds` refuses, and `hints` explain a refusal beside them. */
class Gate(private val thresholds: List<Threshold>, private val hints: List<Threshold>) {
    /** @throws PocketIqaException the gate asks for a value that the network does not give. */
    fun decide(quality: Quality): Decision = decide(mapOf("score" to quality.score) + quality.attributes)

    internal fun decide(values: Map<String, Float>): Decision {
        (thresholds + hints).firstOrNull { it.measure !in values }?.let {
            throw PocketIqaException("the gate asks for ${it.measure}, and this bundle gives ${values.keys.joinToString()}")
        }
        fun under(among: List<Threshold>) = among.filter { values.getValue(it.measure).toDouble() < it.least }
        val refusing = under(thresholds)
        if (refusing.isEmpty()) return Decision(true, emptyList())
        val named = refusing.map { it.measure }
        val hinting = under(hints).filter { it.measure !in named }
        return Decision(
            false,
            refusing.map { reason(it, values, "needs") } + hinting.map { reason(it, values, "good photos have") },
        )
    }

    /** The value is cut, not rounded, so that it is under the one beside it. */
    private fun reason(under: Threshold, values: Map<String, Float>, beside: String): String {
        val shown = floor(values.getValue(under.measure).toDouble() * 1000) / 1000
        return "%s: %s %.3f, %s %.3f".format(Locale.ROOT, under.words, under.measure, shown, beside, under.least)
    }

    companion object {
        /** The gate that a bundle carries. @throws PocketIqaException it carries none, or one that cannot be read. */
        fun of(bundle: Bundle): Gate {
            val name = bundle.manifest.gate
            if (name.isEmpty()) throw PocketIqaException("this bundle carries no gate; fit one: pocketiqa fit-gate")
            return parse(String(bundle.read(name), Charsets.UTF_8))
        }

        /** @throws PocketIqaException the text is no gate. */
        fun parse(text: String): Gate = try {
            val json = JSONObject(text)
            if (json.getInt("schema_version") != GATE_SCHEMA_VERSION) throw JSONException("unknown schema_version")
            Gate(json.getJSONArray("thresholds").thresholds(), json.getJSONArray("hints").thresholds())
        } catch (error: JSONException) {
            throw PocketIqaException("the gate cannot be read: ${error.message}; copy the bundle anew", error)
        }
    }
}

private fun JSONArray.thresholds() = List(length()) {
    val entry = getJSONObject(it)
    val measure = entry.getString("measure")
    Threshold(measure, entry.getDouble("least"), entry.optString("words", GATE_WORDS[measure] ?: "$measure too low"))
}
