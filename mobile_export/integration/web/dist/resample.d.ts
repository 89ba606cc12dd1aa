export type Bytes = Uint8Array | Uint8ClampedArray;
export type Filter = "bilinear" | "bicubic" | "lanczos";
/** Upright pixels in sRGB, row by row; four bytes each, of which the fourth is not read. */
export interface Pixels {
    width: number;
    height: number;
    rgba: Bytes;
}
/** A stretch of a photo's pixels, its ends anywhere between them. */
export interface Box {
    left: number;
    top: number;
    right: number;
    bottom: number;
}
export declare const FILTERS: Filter[];
/** The box of a photo at `width` × `height`: three bytes a pixel, row by row. */
export declare function resize(photo: Pixels, box: Box, width: number, height: number, filter: Filter): Bytes;
