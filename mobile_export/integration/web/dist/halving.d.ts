import type { Pixels } from "./resample.js";
/**
 * What the sides are divided by: the largest power of two that leaves a short side, rounded up, of `enough` pixels at
 * least; 1 where `enough` is null.
 */
export declare function halvingFactor(width: number, height: number, enough: number | null): number;
/** The photo, each pixel the mean of a square, or of as much of it as an edge leaves; itself where it is small. */
export declare function halved(photo: Pixels, enough: number | null): Pixels;
