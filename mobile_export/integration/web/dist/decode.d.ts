import type { Pixels } from "./resample.js";
/**
 * Decodes a photo: turned as its EXIF asks, its colour profile converted to sRGB, transparency over white.
 * @throws PocketIqaError the browser does not read it, or it is outside `LIMITS`.
 */
export declare function decode(photo: Blob): Promise<Pixels>;
