package pocketiqa

import android.graphics.Bitmap
import android.graphics.ImageFormat
import android.graphics.Rect
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import pocketiqa.android.BitmapPhoto
import pocketiqa.android.PocketIqa
import pocketiqa.android.cameraFrame
import pocketiqa.android.decode
import pocketiqa.core.Bundle
import pocketiqa.core.PocketIqaException
import pocketiqa.core.inputTensor
import java.util.concurrent.Callable
import java.util.concurrent.Executors

/** On Android's own graphics (Skia), which Robolectric runs on this machine. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class AndroidTest {
    private fun bundle(name: String) = exchange().resolve("bundles/$name")

    private fun load(name: String) = PocketIqa.load(bundle(name), program = ::PythonProgram)

    /** For Python to compare: the input as the app makes it, and the whole view as Android's own scaler makes it. */
    @Test
    fun `the golden photos as Skia decodes them`() {
        val spec = Bundle(bundle("shipped")).manifest.input
        for (file in bundle("shipped").resolve("golden").listFiles()!!) {
            val bitmap = decode(file.readBytes()).bitmap
            exchange().resolve("skia/${file.name}").writeBytes(inputTensor(BitmapPhoto(bitmap), spec).bytes())
            val scaled = Bitmap.createScaledBitmap(bitmap, spec.width, spec.height, true)
            exchange().resolve("scaled/${file.name}").writeBytes(BitmapPhoto(scaled).bytes())
        }
    }

    /** For Python to compare with what it decodes: orientations, profiles, transparency, other formats. */
    @Test
    fun `encoded photos of many kinds`() {
        for (file in exchange().resolve("encoded").listFiles()!!) {
            val photo = BitmapPhoto(decode(file.readBytes()).bitmap)
            exchange().resolve("decoded/${file.name}.${photo.width}x${photo.height}").writeBytes(photo.bytes())
        }
    }

    /** For Python to compare: large photos as an app makes its input of them. */
    @Test
    fun `large photos are halved, a JPEG while it is decoded`() {
        val spec = Bundle(bundle("shipped")).manifest.input
        for (file in exchange().resolve("large").listFiles()!!) {
            val decoded = decode(file.readBytes(), spec.enough)
            assertEquals(file.name, file.extension == "jpg" && file.name.startsWith("even"), decoded.isHalved)
            val tensor = inputTensor(BitmapPhoto(decoded.bitmap), spec, decoded.isHalved)
            exchange().resolve("skia/${file.name}").writeBytes(tensor.bytes())
        }
    }

    @Test
    fun `this phone scores the golden photos as the exporter did`() {
        for (name in listOf("shipped", "tiny", "score_only")) {
            val check = load(name).use { it.checkGolden() }
            assertTrue("$name: $check", check.holds)
            exchange().resolve("golden.$name").writeText("$check")
        }
    }

    @Test
    fun `a bundle in the app's assets scores as the one in a folder`() {
        val context = RuntimeEnvironment.getApplication()
        context.assets.addAssetPath(exchange().resolve("app.apk").path)
        val photo = bundle("tiny").resolve("golden/coffee.png").readBytes()
        val scores = List(2) { PocketIqa.load(context, program = ::PythonProgram).use { it.score(photo).score } }
        assertEquals(List(2) { load("tiny").use { it.score(photo).score } }, scores)
        assertEquals(1, context.noBackupFilesDir.listFiles()!!.size)
    }

    @Test
    fun `a score comes with the attributes and the map that the network gives`() {
        val photo = decode(bundle("tiny").resolve("golden/coffee.png").readBytes()).bitmap
        load("tiny").use { pocketIqa ->
            val quality = pocketIqa.score(photo)
            assertEquals(6, quality.attributes.size)
            assertEquals(4, quality.map!!.values.size)
            assertEquals(2, quality.map!!.rows)
        }
        load("score_only").use { pocketIqa ->
            val quality = pocketIqa.score(photo)
            assertTrue(quality.score in 0f..1f)
            assertTrue(quality.attributes.isEmpty())
            assertNull(quality.map)
        }
    }

    @Test
    fun `many threads get what one gets, and nobody scores after close`() {
        val photos = bundle("tiny").resolve("golden").listFiles()!!.sorted().map { it.readBytes() }
        val pocketIqa = load("tiny")
        val alone = photos.map { pocketIqa.score(it).score }
        val pool = Executors.newFixedThreadPool(4)
        val together = pool.invokeAll(photos.map { Callable { pocketIqa.score(it).score } }).map { it.get() }
        pool.shutdown()
        assertEquals(alone, together)
        pocketIqa.close()
        val error = assertThrows(PocketIqaException::class.java) { pocketIqa.score(photos[0]) }
        assertEquals("this PocketIqa was closed; load another", error.message)
    }

    @Test
    fun `a camera's frame has the pixels of its planes and its crop`() {
        val planes = framePlanes()
        val image = FakeImage(planes.width, planes.height, planes.interleaved(32))
        val expected = exchange().resolve("frames/frame.rgb").readBytes()
        val pixels = cameraFrame(image, 0).bytes()
        assertTrue(expected.indices.maxOf { Math.abs((expected[it].toInt() and 255) - (pixels[it].toInt() and 255)) } <= 1)
        image.cropRect = Rect(8, 4, 72, 52)
        val turned = cameraFrame(image, 90)
        assertEquals(48 to 64, turned.width to turned.height)
        load("tiny").use { assertTrue(it.score(image, 90).score in 0f..1f) }
        val jpeg = FakeImage(planes.width, planes.height, planes.planar(0), ImageFormat.JPEG)
        assertThrows(PocketIqaException::class.java) { cameraFrame(jpeg, 0) }
    }

    @Test
    fun `what is no picture, or a tiny one, is refused in words`() {
        load("tiny").use { pocketIqa ->
            fun message(bytes: ByteArray) =
                assertThrows(PocketIqaException::class.java) { pocketIqa.score(bytes) }.message!!
            assertTrue("cannot decode" in message("no picture".toByteArray()))
            assertTrue("cannot decode" in message(ByteArray(0)))
            assertTrue("too small" in message(exchange().resolve("small.png").readBytes()))
            assertThrows(PocketIqaException::class.java) {
                pocketIqa.score(Bitmap.createBitmap(40, 8, Bitmap.Config.ARGB_8888))
            }
        }
    }
}
