import type { InputSpec } from "./preprocess.js";
export interface FileEntry {
    bytes: number;
    sha256: string;
}
export interface Manifest {
    name: string;
    version: string;
    input: InputSpec;
    /** Names of the quality vector's entries after the score; none where the network gives a score alone. */
    attributes: string[];
    /** [height, width] of the map of local quality; null where the network gives none. */
    mapShape: [number, number] | null;
    files: Record<string, FileEntry>;
    /** Paths of the programs, by the variant's name. */
    variants: Record<string, string>;
    /** Expected quality vectors, by photo and variant. */
    golden: Record<string, Record<string, number[]>>;
}
/**
 * Reads and checks the text of a manifest.
 * @throws PocketIqaError names the field that is missing or wrong.
 */
export declare function parseManifest(text: string): Manifest;
