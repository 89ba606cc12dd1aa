// A photo's pixels to the input tensor that manifest.json describes under `input`. No browser is needed.
import { PocketIqaError } from "./errors.js";
import { halved } from "./halving.js";
import { resize } from "./resample.js";
/** What a photo may cost before it is refused; the Python package has the same limits. */
export const LIMITS = { maxPixels: 89_478_485, maxBytes: 128 * 1024 * 1024, minSide: 16 };
/** Of the input tensor: views, channels, height, width. */
export function shapeOf(spec) {
    return [spec.views.length, 3, spec.height, spec.width];
}
/**
 * The network's input for one upright photo in sRGB: float32 in [0, 1] of `shapeOf(spec)`, row by row.
 *
 * It is Pillow's to the bit, as `pocketiqa.preprocess` gives it for the same pixels. No browser decodes a JPEG at a half
 * of its size with libjpeg's own scale, so a large JPEG is halved here as any other format.
 * @throws PocketIqaError the photo is too small or too large, or its bytes are not four a pixel.
 */
export function preprocess(photo, spec) {
    checkSize(photo.width, photo.height);
    if (photo.rgba.length !== 4 * photo.width * photo.height) {
        const needed = 4 * photo.width * photo.height;
        throw new PocketIqaError(`${photo.width}×${photo.height} pixels are ${needed} bytes, not ${photo.rgba.length}`);
    }
    const source = halved(photo, spec.enough);
    const plane = spec.height * spec.width;
    const tensor = new Float32Array(spec.views.length * 3 * plane);
    spec.views.forEach((view, number) => {
        const bytes = view === "whole" ? whole(source, spec) : detail(source, spec, source !== photo);
        for (let channel = 0; channel < 3; channel++) {
            const start = (3 * number + channel) * plane;
            for (let i = 0; i < plane; i++)
                tensor[start + i] = bytes[3 * i + channel] / 255;
        }
    });
    return tensor;
}
/** @throws PocketIqaError outside `LIMITS`. */
export function checkSize(width, height) {
    if (Math.min(width, height) < LIMITS.minSide) {
        throw new PocketIqaError(`${width}×${height} pixels is too small to be judged; each side needs at least ${LIMITS.minSide}`);
    }
    if (width * height > LIMITS.maxPixels) {
        throw new PocketIqaError(`${width}×${height} pixels is over the limit of ${LIMITS.maxPixels} pixels; downscale it`);
    }
}
function whole(photo, spec) {
    const source = halved(photo, spec.enoughForWhole);
    const box = { left: 0, top: 0, right: source.width, bottom: source.height };
    return resize(source, box, spec.width, spec.height, spec.resample);
}
/**
 * Halving takes a little of the finest detail, bicubic a little more, and Lanczos gives as much back: a halved photo's
 * detail is their mean, rounded down.
 */
function detail(photo, spec, isHalved) {
    const box = detailBox(photo, spec);
    const bicubic = resize(photo, box, spec.width, spec.height, spec.resample);
    if (!isHalved)
        return bicubic;
    const lanczos = resize(photo, box, spec.width, spec.height, "lanczos");
    return bicubic.map((byte, i) => (byte + lanczos[i]) >> 1);
}
/** The centre, in the photo's own coordinates: a huge or very long photo is never resized whole. */
function detailBox(photo, spec) {
    const reduce = Math.min(1, spec.detailShortSide / Math.min(photo.width, photo.height));
    const scale = Math.max(reduce, spec.width / photo.width, spec.height / photo.height);
    const width = spec.width / scale;
    const height = spec.height / scale;
    let left = Math.max(0, (photo.width - width) / 2);
    let top = Math.max(0, (photo.height - height) / 2);
    if (scale === 1)
        [left, top] = [Math.trunc(left), Math.trunc(top)]; // native pixels, untouched by any filter
    return { left, top, right: Math.min(left + width, photo.width), bottom: Math.min(top + height, photo.height) };
}
