import type * as Ort from "onnxruntime-web";
import { type Read } from "./files.js";
import { type GoldenCheck } from "./golden.js";
import { type Manifest } from "./manifest.js";
import type { Pixels } from "./resample.js";
/** The part of `onnxruntime-web` that is used: pass the module itself. */
export type Runtime = Pick<typeof Ort, "InferenceSession" | "Tensor">;
export type Variant = "onnx_int8" | "onnx_fp32";
/** Local quality over the whole photo, row by row, each in [0, 1]. */
export interface QualityMap {
    height: number;
    width: number;
    values: Float32Array;
}
/** Each in [0, 1], higher is better; `attributes` is empty and `map` null where the network gives none. */
export interface Quality {
    score: number;
    attributes: Record<string, number>;
    map: QualityMap | null;
}
export declare class PocketIqa {
    readonly manifest: Manifest;
    readonly variant: Variant;
    private readonly read;
    private readonly ort;
    private readonly session;
    private constructor();
    /**
     * Opens a bundle and loads its ONNX program, after its hash was checked.
     * @param bundle its address relative to the page, or a function that reads one of its files.
     * @param ort the module `onnxruntime-web`, or `onnxruntime-web/wasm`, which is smaller.
     * @param variant which program; int8 where the bundle has it.
     * @throws PocketIqaError no bundle, one that is not what its manifest says, or no ONNX program in it.
     */
    static open(bundle: string | URL | Read, ort: Runtime, variant?: Variant): Promise<PocketIqa>;
    /**
     * Scores a photo file.
     * @throws PocketIqaError the browser cannot read it, or it is too large or too small.
     */
    score(photo: Blob): Promise<Quality>;
    /** Scores upright pixels in sRGB: a canvas's or a video frame's `ImageData`, say. */
    scorePixels(photo: Pixels): Promise<Quality>;
    /** Scores an input tensor, float32 of the manifest's shape. */
    run(input: Float32Array): Promise<Quality>;
    /**
     * The golden check: scores the bundle's golden photos and compares them with what the exporter measured.
     * @param decoder turns a photo file into pixels; the browser's own by default.
     * @param progress called after each photo with how many are done.
     */
    checkGolden(decoder?: (photo: Blob) => Promise<Pixels>, progress?: (done: number) => void): Promise<GoldenCheck>;
}
