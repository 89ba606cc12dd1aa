// By how much a large photo is reduced before its views are cut: Pillow's `Image.reduce`, integer by integer.
import type { Pixels } from "./resample.js";

/**
 * What the sides are divided by: the largest power of two that leaves a short side, rounded up, of `enough` pixels at
 * least; 1 where `enough` is null.
 */
export function halvingFactor(width: number, height: number, enough: number | null): number {
  const short = Math.min(width, height);
  let factor = 1;
  while (enough !== null && short > factor && Math.ceil(short / (2 * factor)) >= enough) factor *= 2;
  return factor;
}

/** The photo, each pixel the mean of a square, or of as much of it as an edge leaves; itself where it is small. */
export function halved(photo: Pixels, enough: number | null): Pixels {
  const factor = halvingFactor(photo.width, photo.height, enough);
  if (factor === 1) return photo;
  const width = Math.ceil(photo.width / factor);
  const height = Math.ceil(photo.height / factor);
  const rgba = new Uint8Array(4 * width * height);
  const sums = new Uint32Array(3 * width);
  for (let line = 0; line < height; line++) {
    const top = line * factor;
    const bottom = Math.min(top + factor, photo.height);
    sums.fill(0);
    for (let y = top; y < bottom; y++) addRow(photo, y, factor, sums);
    for (let x = 0; x < width; x++) {
      const count = (bottom - top) * (Math.min((x + 1) * factor, photo.width) - x * factor);
      const scale = Math.floor(2 ** 24 / count);
      for (let channel = 0; channel < 3; channel++) {
        const sum = sums[3 * x + channel] + (count >> 1);
        rgba[4 * (line * width + x) + channel] = Math.floor((sum * scale) / 2 ** 24);
      }
    }
  }
  return { width, height, rgba };
}

function addRow(photo: Pixels, y: number, factor: number, sums: Uint32Array): void {
  const { width, rgba } = photo;
  let from = 4 * width * y;
  for (let left = 0, to = 0; left < width; left += factor, to += 3) {
    const right = Math.min(left + factor, width);
    for (let x = left; x < right; x++, from += 4) {
      sums[to] += rgba[from];
      sums[to + 1] += rgba[from + 1];
      sums[to + 2] += rgba[from + 2];
    }
  }
}
