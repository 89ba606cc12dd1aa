package pocketiqa

import org.junit.Assert.assertThrows
import org.junit.Test
import pocketiqa.core.InputSpec
import pocketiqa.core.Manifest
import pocketiqa.core.PocketIqaException
import pocketiqa.core.inputTensor
import pocketiqa.core.sha256

class InputTensorTest {
    /** Beside each photo its tensor's sha256, which Python compares. */
    @Test
    fun `the tensors of Pillow's pixels, for several inputs`() {
        for (folder in exchange().resolve("inputs").listFiles()!!) {
            val spec = Manifest.parse(folder.resolve("manifest.json").readText()).input
            for (file in folder.listFiles()!!.filter { "x" in it.extension }) {
                val (width, height) = file.extension.split("x").map(String::toInt)
                val tensor = inputTensor(RawPhoto(width, height, file.readBytes()), spec)
                folder.resolve("${file.name}.sha256").writeText(sha256(tensor.bytes()))
            }
        }
    }

    @Test
    fun `a photo too small to be judged is refused in words`() {
        val spec = InputSpec(8, 8, listOf("whole"), 1024, "bicubic")
        val error = assertThrows(PocketIqaException::class.java) { inputTensor(RawPhoto(15, 40, ByteArray(1800)), spec) }
        assert(error.message == "15×40 pixels is too small to be judged; each side needs at least 16")
    }
}
