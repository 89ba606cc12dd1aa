// A bundle's files, handed out only after their size and sha256 agree with the manifest.
import { PocketIqaError } from "./errors.js";
/** Reads the bundle that lies at an address, relative to the page. */
export function readerOf(address) {
    const folder = String(address).replace(/\/?$/, "/");
    return async (name) => {
        const path = folder + name.split("/").map(encodeURIComponent).join("/");
        let response;
        try {
            response = await fetch(path);
        }
        catch (error) {
            throw new PocketIqaError(`${path} cannot be read: ${error.message}`);
        }
        if (!response.ok)
            throw new PocketIqaError(`${path} cannot be read: the server answers ${response.status}`);
        return new Uint8Array(await response.arrayBuffer());
    };
}
/**
 * A file's bytes, after they were compared with the manifest.
 * @throws PocketIqaError not in the manifest, or changed; or this page may not compute a hash.
 */
export async function verified(read, manifest, name) {
    const entry = Object.hasOwn(manifest.files, name) && manifest.files[name];
    if (!entry)
        throw new PocketIqaError(`${name} is not in the manifest's files; build the bundle anew`);
    const bytes = await read(name);
    if (bytes.length !== entry.bytes) {
        throw new PocketIqaError(`${name} has ${bytes.length} bytes, not ${entry.bytes} as the manifest says: do not use it`);
    }
    if (!globalThis.crypto?.subtle) {
        throw new PocketIqaError("a browser checks hashes only on pages from https:// or from http://localhost");
    }
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const sha256 = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (sha256 !== entry.sha256) {
        throw new PocketIqaError(`${name} has sha256 ${sha256.slice(0, 12)}…, not ${entry.sha256.slice(0, 12)}…: do not use it`);
    }
    return bytes;
}
