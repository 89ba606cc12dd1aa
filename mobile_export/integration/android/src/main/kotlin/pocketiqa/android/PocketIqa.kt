package pocketiqa.android

import android.content.Context
import android.graphics.Bitmap
import android.media.Image
import pocketiqa.core.Bundle
import pocketiqa.core.GOLDEN_BOUND
import pocketiqa.core.Gate
import pocketiqa.core.GoldenCheck
import pocketiqa.core.Photo
import pocketiqa.core.PocketIqaException
import pocketiqa.core.Program
import pocketiqa.core.Quality
import pocketiqa.core.compareGolden
import pocketiqa.core.inputTensor
import pocketiqa.core.qualityOf
import pocketiqa.core.sha256
import java.io.Closeable
import java.io.File
import java.io.IOException

/**
 * Scores photos with one program of a bundle.
 *
 *     val pocketIqa = PocketIqa.load(context)          // assets/pocketiqa; off the main thread
 *     val quality = pocketIqa.score(bitmap)            // score, attributes, map
 *
 * Thread safety: one object may be used from many threads. Photos are prepared side by side; the program runs one at a
 * time. `load`, `score` and `checkGolden` take milliseconds to seconds, so call them off the main thread. Nobody may
 * score after `close`.
 */
class PocketIqa private constructor(
    private val bundle: Bundle,
    private val variant: String,
    private val program: Program,
) : Closeable {
    private val manifest = bundle.manifest
    private var closed = false

    /** `name-version` of the network. */
    val label: String = "${manifest.name}-${manifest.version}"

    /** Scores an upright bitmap of any configuration. @throws PocketIqaException it is too small or too large. */
    fun score(photo: Bitmap): Quality = scorePhoto(BitmapPhoto(photo))

    /**
     * Scores an encoded photo: the bytes of a JPEG, PNG, WebP or HEIF.
     *
     * @throws PocketIqaException no picture, a damaged one, or a size that is not judged.
     */
    fun score(encoded: ByteArray): Quality {
        val decoded = decode(encoded, manifest.input.enough)
        return scorePhoto(BitmapPhoto(decoded.bitmap), decoded.isHalved)
    }

    /** Scores a camera's frame before it is closed. @throws PocketIqaException no `YUV_420_888`, or another angle. */
    fun score(frame: Image, rotation: Int): Quality = scorePhoto(cameraFrame(frame, rotation))

    /**
     * Scores the bundle's golden photos and compares them with what the exporter measured. Call it once after an
     * installation or a system update; `holds` of the answer says whether this phone's scores may be used.
     *
     * @throws PocketIqaException a golden photo is missing or changed, or the variant has no scores.
     */
    fun checkGolden(): GoldenCheck {
        val bound = GOLDEN_BOUND[variant] ?: throw PocketIqaException("no golden bound is known for $variant")
        val expected = manifest.golden.mapNotNull { (name, scores) -> scores[variant]?.let { name to it } }.toMap()
        val found = expected.keys.associateWith { name ->
            val quality = score(bundle.read(name))
            floatArrayOf(quality.score) + manifest.attributes.map(quality.attributes::getValue)
        }
        return compareGolden(expected, found, bound)
    }

    /** The bundle's gate, which accepts or refuses a `Quality`. @throws PocketIqaException it carries none. */
    fun gate(): Gate = Gate.of(bundle)

    @Synchronized
    override fun close() {
        closed = true
        program.close()
    }

    private fun scorePhoto(photo: Photo, isHalved: Boolean = false): Quality {
        val input = inputTensor(photo, manifest.input, isHalved)
        return qualityOf(run(input), manifest)
    }

    @Synchronized
    private fun run(input: FloatArray): List<FloatArray> {
        if (closed) throw PocketIqaException("this PocketIqa was closed; load another")
        return program.run(input, manifest.input.shape)
    }

    companion object {
        /**
         * Loads the bundle from a folder of the app's assets. The program is copied to the app's private files once.
         *
         * @param program makes a runtime of another kind from the variant's file.
         * @throws PocketIqaException a file is missing or changed, or ExecuTorch cannot load the program.
         */
        fun load(
            context: Context,
            assets: String = "pocketiqa",
            variant: String = "int8",
            program: (File) -> Program = ::ExecutorchProgram,
        ): PocketIqa {
            val bundle = Bundle { name -> context.assets.open("$assets/$name") }
            val bytes = bundle.read(bundle.pathOf(variant))
            return PocketIqa(bundle, variant, program(copied(bytes, context.noBackupFilesDir)))
        }

        /**
         * Loads the bundle from a folder, one that the app has downloaded, say.
         *
         * @param program makes a runtime of another kind from the variant's file.
         * @throws PocketIqaException a file is missing or changed, or ExecuTorch cannot load the program.
         */
        fun load(
            folder: File,
            variant: String = "int8",
            program: (File) -> Program = ::ExecutorchProgram,
        ): PocketIqa {
            val bundle = Bundle(folder)
            val path = bundle.pathOf(variant)
            bundle.read(path)
            return PocketIqa(bundle, variant, program(File(folder, path)))
        }

        /** The program as a file, which ExecuTorch needs; whole or not at all. */
        private fun copied(bytes: ByteArray, folder: File): File {
            val file = File(folder, "pocketiqa-${sha256(bytes).take(16)}.pte")
            if (file.length() == bytes.size.toLong()) return file
            try {
                val half = File.createTempFile("pocketiqa", ".part", folder)
                half.writeBytes(bytes)
                if (half.renameTo(file)) return file
            } catch (error: IOException) {
                throw PocketIqaException("${file.path} cannot be written (${error.message}); free some space", error)
            }
            throw PocketIqaException("${file.path} cannot be written")
        }
    }
}
