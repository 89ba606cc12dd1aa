package pocketiqa

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import pocketiqa.core.Bundle
import pocketiqa.core.PocketIqaException
import pocketiqa.core.compareGolden
import java.io.File

/** The tiny bundle with some files replaced. */
private fun tiny(vararg changed: Pair<String, (ByteArray) -> ByteArray>): Bundle {
    val folder = exchange().resolve("bundles/tiny")
    return Bundle { name ->
        val bytes = File(folder, name).readBytes()
        (changed.toMap()[name]?.invoke(bytes) ?: bytes).inputStream()
    }
}

private fun manifest(change: (String) -> String): Bundle =
    tiny("manifest.json" to { bytes -> change(String(bytes)).toByteArray() })

private fun messageOf(run: () -> Any): String = assertThrows(PocketIqaException::class.java) { run() }.message!!

class BundleTest {
    @Test
    fun `every file of a bundle is what its manifest says`() {
        val bundle = tiny()
        for (name in bundle.manifest.files.keys) bundle.read(name)
        assertEquals("xnnpack/student_int8.pte", bundle.pathOf("int8"))
        assertEquals(2 to 2, bundle.manifest.mapShape)
    }

    @Test
    fun `a file that is missing, longer, shorter or changed is refused`() {
        val name = "xnnpack/student_int8.pte"
        assertTrue("sha256" in messageOf { tiny(name to { it[50] = (it[50] + 1).toByte(); it }).read(name) })
        assertTrue("bytes" in messageOf { tiny(name to { it + 1 }).read(name) })
        assertTrue("bytes" in messageOf { tiny(name to { it.copyOf(5) }).read(name) })
        assertTrue("not in the manifest" in messageOf { tiny().read("nowhere") })
        val empty = exchange().resolve("encoded")
        assertTrue("manifest.json cannot be read" in messageOf { Bundle(empty) })
    }

    @Test
    fun `a manifest that this code does not implement is refused with the field's name`() {
        fun refusal(old: String, new: String) = messageOf { manifest { it.replace(old, new) } }
        assertTrue("schema_version 7" in refusal("\"schema_version\": 1", "\"schema_version\": 7"))
        assertTrue("resample is nearest" in refusal("\"bicubic\"", "\"nearest\""))
        assertTrue("colour_order is BGR" in refusal("\"RGB\"", "\"BGR\""))
        assertTrue("antialias is false" in refusal("\"antialias\": true", "\"antialias\": false"))
        assertTrue("reduction is thirds" in refusal("\"NCHW\"", "\"NCHW\", \"reduction\": \"thirds\""))
        assertTrue("views is corner" in refusal("\"detail\"", "\"corner\""))
        assertTrue("cannot be read" in messageOf { manifest { "{" } })
    }

    @Test
    fun `a path that leads out of the bundle is refused`() {
        val bundle = manifest { it.replace("xnnpack/student_int8.pte", "../xnnpack/student_int8.pte") }
        assertTrue("outside the bundle" in messageOf { bundle.read(bundle.pathOf("int8")) })
    }

    @Test
    fun `an unknown variant is answered with those that there are`() {
        assertTrue("it has fp32, int8" in messageOf { tiny().pathOf("int4") })
    }
}

class GoldenCheckTest {
    private fun scores(vararg values: Float) =
        values.withIndex().associate { (i, score) -> "photo$i" to floatArrayOf(score, 0.5f) }

    @Test
    fun `scores within the bound hold, and a close pair may change places`() {
        val check = compareGolden(scores(0.5f, 0.505f, 0.9f), scores(0.506f, 0.504f, 0.9f), 0.01)
        assertTrue(check.holds)
        assertEquals("photo0", check.worst)
        assertEquals(0, check.flips)
    }

    @Test
    fun `a score over the bound, one that is no number and a flipped rank do not hold`() {
        assertFalse(compareGolden(scores(0.5f, 0.9f), scores(0.52f, 0.9f), 0.01).holds)
        assertFalse(compareGolden(scores(0.5f, 0.9f), scores(Float.NaN, 0.9f), 0.01).holds)
        val swapped = compareGolden(scores(0.5f, 0.6f), scores(0.6f, 0.5f), 1.0)
        assertEquals(1, swapped.flips)
        assertFalse(swapped.holds)
    }

    @Test
    fun `no photos, or a photo without its scores, is an error`() {
        assertThrows(PocketIqaException::class.java) { compareGolden(scores(), scores(), 1.0) }
        assertThrows(PocketIqaException::class.java) { compareGolden(scores(0.5f), scores(), 1.0) }
    }
}
