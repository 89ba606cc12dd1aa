package app

import android.content.Context
import android.net.Uri
import pocketiqa.android.PocketIqa
import pocketiqa.core.PocketIqaException
import java.util.concurrent.Executors

/** Rates photos that the user picks, off the main thread, and shows the answer on it. */
class PhotoRater(private val context: Context) {
    private val worker = Executors.newSingleThreadExecutor()
    private val pocketIqa by lazy { PocketIqa.load(context) }

    fun rate(photo: Uri, show: (String) -> Unit) = worker.execute {
        val words = try {
            val encoded = context.contentResolver.openInputStream(photo)!!.use { it.readBytes() }
            val quality = pocketIqa.score(encoded)
            val weakest = quality.attributes.minByOrNull { it.value }?.key ?: "nothing"
            "%.0f of 100; what it lacks most: %s".format(100 * quality.score, weakest)
        } catch (error: PocketIqaException) {
            error.message!!
        }
        context.mainExecutor.execute { show(words) }
    }
}
