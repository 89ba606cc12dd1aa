import { type Filter, type Pixels } from "./resample.js";
export type View = "whole" | "detail";
/** `input` of manifest.json. What is not here (antialiasing, rounding, RGB, [0, 1], NCHW) has one value alone. */
export interface InputSpec {
    height: number;
    width: number;
    views: View[];
    detailShortSide: number;
    resample: Filter;
    /** Pixels that must be left of a photo's short side when it is halved; null where no photo is halved. */
    enough: number | null;
    /** What must be left of a picture's short side when it is halved for the `whole` view; null where none is. */
    enoughForWhole: number | null;
}
/** What a photo may cost before it is refused; the Python package has the same limits. */
export declare const LIMITS: {
    maxPixels: number;
    maxBytes: number;
    minSide: number;
};
/** Of the input tensor: views, channels, height, width. */
export declare function shapeOf(spec: InputSpec): [number, number, number, number];
/**
 * The network's input for one upright photo in sRGB: float32 in [0, 1] of `shapeOf(spec)`, row by row.
 *
 * It is Pillow's to the bit, as `pocketiqa.preprocess` gives it for the same pixels. No browser decodes a JPEG at a half
 * of its size with libjpeg's own scale, so a large JPEG is halved here as any other format.
 * @throws PocketIqaError the photo is too small or too large, or its bytes are not four a pixel.
 */
export declare function preprocess(photo: Pixels, spec: InputSpec): Float32Array;
/** @throws PocketIqaError outside `LIMITS`. */
export declare function checkSize(width: number, height: number): void;
