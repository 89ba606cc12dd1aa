import type { Manifest } from "./manifest.js";
/** Gives a file of the bundle by its path in it. Wherever the bytes come from, they are checked. */
export type Read = (name: string) => Promise<Uint8Array<ArrayBuffer>>;
/** Reads the bundle that lies at an address, relative to the page. */
export declare function readerOf(address: string | URL): Read;
/**
 * A file's bytes, after they were compared with the manifest.
 * @throws PocketIqaError not in the manifest, or changed; or this page may not compute a hash.
 */
export declare function verified(read: Read, manifest: Manifest, name: string): Promise<Uint8Array<ArrayBuffer>>;
