/** Scores photos in the browser with a pocketiqa bundle. */
export { decode } from "./decode.js";
export { PocketIqaError } from "./errors.js";
export { readerOf } from "./files.js";
export { decide, GATE_WORDS, parseGate } from "./gate.js";
export { compareGolden, GOLDEN_BOUNDS } from "./golden.js";
export { parseManifest } from "./manifest.js";
export { LIMITS, preprocess, shapeOf } from "./preprocess.js";
export { FILTERS } from "./resample.js";
export { PocketIqa } from "./scorer.js";
