// A photo file to upright pixels in sRGB, by the browser's own decoder.
import { PocketIqaError } from "./errors.js";
import { checkSize, LIMITS } from "./preprocess.js";
// A canvas of a whole photo is more than some phones allow.
const ROWS = 512;
/**
 * Decodes a photo: turned as its EXIF asks, its colour profile converted to sRGB, transparency over white.
 * @throws PocketIqaError the browser does not read it, or it is outside `LIMITS`.
 */
export async function decode(photo) {
    if (photo.size > LIMITS.maxBytes) {
        throw new PocketIqaError(`the file has ${photo.size} bytes, over the limit of ${LIMITS.maxBytes}; shrink it`);
    }
    let bitmap;
    try {
        bitmap = await createImageBitmap(photo, { imageOrientation: "from-image", colorSpaceConversion: "default" });
    }
    catch {
        throw new PocketIqaError("this browser cannot read the file as a picture; JPEG, PNG and WebP work everywhere");
    }
    try {
        checkSize(bitmap.width, bitmap.height);
        return pixelsOf(bitmap);
    }
    finally {
        bitmap.close();
    }
}
function pixelsOf(bitmap) {
    const { width, height } = bitmap;
    const rgba = new Uint8ClampedArray(4 * width * height);
    const canvas = new OffscreenCanvas(width, Math.min(ROWS, height));
    // Read often, so that the pixels stay in memory that the processor reads, as they are.
    const context = canvas.getContext("2d", { alpha: false, colorSpace: "srgb", willReadFrequently: true });
    context.fillStyle = "white";
    for (let top = 0; top < height; top += ROWS) {
        const rows = Math.min(ROWS, height - top);
        context.fillRect(0, 0, width, rows);
        context.drawImage(bitmap, 0, -top);
        rgba.set(context.getImageData(0, 0, width, rows).data, 4 * top * width);
    }
    return { width, height, rgba };
}
