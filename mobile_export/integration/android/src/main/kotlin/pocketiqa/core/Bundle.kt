package pocketiqa.core

import java.io.File
import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest

/**
 * A bundle's files, from wherever `open` gets them. Nothing is handed out before its size and sha256 agree with the
 * manifest.
 *
 * @throws PocketIqaException there is no manifest, or one that this version does not implement.
 */
class Bundle(private val open: (String) -> InputStream) {
    val manifest: Manifest = Manifest.parse(String(bytesOf("manifest.json", MAX_MANIFEST_BYTES.toLong()), Charsets.UTF_8))

    /** A folder's bundle. */
    constructor(folder: File) : this({ name -> File(folder, name).inputStream() })

    /** @throws PocketIqaException the manifest names no such variant; the message lists those it names. */
    fun pathOf(variant: String): String = manifest.variants[variant] ?: throw PocketIqaException(
        "the bundle ${manifest.name}-${manifest.version} has no variant $variant; " +
            "it has ${manifest.variants.keys.sorted().joinToString()}",
    )

    /** A file's bytes. @throws PocketIqaException not in the manifest, missing, or changed. */
    fun read(name: String): ByteArray {
        val entry = manifest.files[name]
            ?: throw PocketIqaException("$name is not in the manifest's files; copy the bundle anew")
        val bytes = bytesOf(name, entry.bytes.coerceAtMost(MAX_FILE_BYTES.toLong()))
        if (bytes.size.toLong() != entry.bytes) {
            throw PocketIqaException("$name has ${bytes.size} bytes, not ${entry.bytes}; copy the bundle anew")
        }
        if (sha256(bytes) != entry.sha256) {
            throw PocketIqaException("$name is not the file that the manifest describes (sha256); copy the bundle anew")
        }
        return bytes
    }

    /** At most one byte more than `limit`, which is enough to see that a file is too long. */
    private fun bytesOf(name: String, limit: Long): ByteArray {
        if (name.startsWith("/") || ".." in name.split("/")) {
            throw PocketIqaException("$name lies outside the bundle; do not use this bundle")
        }
        val bytes = try {
            open(name).use { it.readAtMost(limit + 1) }
        } catch (error: IOException) {
            throw PocketIqaException("$name cannot be read (${error.message}); copy the whole bundle", error)
        }
        return bytes
    }
}

/** In lower-case hexadecimal digits. */
fun sha256(bytes: ByteArray): String =
    MessageDigest.getInstance("SHA-256").digest(bytes).joinToString("") { "%02x".format(it) }

private fun InputStream.readAtMost(limit: Long): ByteArray {
    val out = java.io.ByteArrayOutputStream()
    val buffer = ByteArray(1 shl 16)
    while (out.size() < limit) {
        val count = read(buffer, 0, minOf(buffer.size.toLong(), limit - out.size()).toInt())
        if (count < 0) break
        out.write(buffer, 0, count)
    }
    return out.toByteArray()
}
