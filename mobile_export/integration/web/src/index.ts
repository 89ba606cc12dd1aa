/** Scores photos in the browser with a pocketiqa bundle. */
export { decode } from "./decode.js";
export { PocketIqaError } from "./errors.js";
export { type Read, readerOf } from "./files.js";
export { type Decision, decide, GATE_WORDS, type Gate, parseGate, type Threshold } from "./gate.js";
export { compareGolden, GOLDEN_BOUNDS, type GoldenCheck } from "./golden.js";
export { type FileEntry, type Manifest, parseManifest } from "./manifest.js";
export { type InputSpec, LIMITS, preprocess, shapeOf, type View } from "./preprocess.js";
export { FILTERS, type Filter, type Pixels } from "./resample.js";
export { PocketIqa, type Quality, type QualityMap, type Runtime, type Variant } from "./scorer.js";
