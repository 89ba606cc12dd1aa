// Pillow's antialiased resize, integer by integer: weights in 22 fractional bits, rounded to 8 bits after each pass.

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

interface Kernel {
  support: number;
  at(x: number): number;
}

/** Which source pixels make each target pixel: the first one, how many, and their weights in fixed point. */
interface Weights {
  first: Int32Array;
  count: Int32Array;
  values: Int32Array;
  stride: number;
}

/** Pixels of `step` bytes, of which the first three are red, green and blue. */
interface Raster {
  width: number;
  bytes: Bytes;
  step: number;
}

const FRACTION_BITS = 22;
const ONE = 1 << FRACTION_BITS;
const HALF = 1 << (FRACTION_BITS - 1);
const CUBIC_A = -0.5;

const KERNELS: Record<Filter, Kernel> = {
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  // Keys, "Cubic convolution interpolation for digital image processing", 1981.
  bicubic: {
    support: 2,
    at(x) {
      const t = Math.abs(x);
      if (t < 1) return ((CUBIC_A + 2) * t - (CUBIC_A + 3)) * t * t + 1;
      return t < 2 ? (((t - 5) * t + 8) * t - 4) * CUBIC_A : 0;
    },
  },
  lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

export const FILTERS = Object.keys(KERNELS) as Filter[];

/** The box of a photo at `width` × `height`: three bytes a pixel, row by row. */
export function resize(photo: Pixels, box: Box, width: number, height: number, filter: Filter): Bytes {
  const kernel = KERNELS[filter];
  const across = weightsOf(kernel, photo.width, box.left, box.right, width);
  const down = weightsOf(kernel, photo.height, box.top, box.bottom, height);
  const raster = { width: photo.width, bytes: photo.rgba, step: 4 };
  // The first pass rounds and cuts to 8 bits, so the order shows; Pillow 13 and newer has this one.
  const downFirst = photo.height > height && photo.height - height > 2 * (photo.width - width);
  if (downFirst) return resizeAcross(resizeDown(raster, down, 0), across, 0, height).bytes;
  const top = down.first[0];
  const bottom = down.first[height - 1] + down.count[height - 1];
  return resizeDown(resizeAcross(raster, across, top, bottom), down, top).bytes;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

/** The kernel widens with the reduction. The ends are float32, as Pillow takes them. */
function weightsOf(kernel: Kernel, sourceSize: number, begin: number, end: number, size: number): Weights {
  const start = Math.fround(begin);
  const step = Math.fround(Math.fround(end) - start) / size;
  const widening = Math.max(step, 1);
  const support = kernel.support * widening;
  const stride = 2 * Math.ceil(support) + 1;
  const first = new Int32Array(size);
  const count = new Int32Array(size);
  const values = new Int32Array(size * stride);
  const real = new Float64Array(stride);
  for (let target = 0; target < size; target++) {
    const centre = start + (target + 0.5) * step;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const many = Math.min(sourceSize, Math.trunc(centre + support + 0.5)) - from;
    let total = 0;
    for (let k = 0; k < many; k++) {
      real[k] = kernel.at((k + from - centre + 0.5) * (1 / widening));
      total += real[k];
    }
    for (let k = 0; k < many; k++) {
      const weight = real[k] / total;
      values[target * stride + k] = Math.trunc(weight * ONE + (weight < 0 ? -0.5 : 0.5));
    }
    first[target] = from;
    count[target] = many;
  }
  return { first, count, values, stride };
}

/** Rows `top` to `bottom`, each at its new width. */
function resizeAcross(source: Raster, weights: Weights, top: number, bottom: number): Raster {
  const { first, count, values, stride } = weights;
  const { bytes, step } = source;
  const width = first.length;
  const result = new Uint8Array((bottom - top) * width * 3);
  let place = 0;
  for (let y = top; y < bottom; y++) {
    for (let x = 0; x < width; x++) {
      let at = (y * source.width + first[x]) * step;
      const end = x * stride + count[x];
      let red = HALF, green = HALF, blue = HALF;
      for (let k = x * stride; k < end; k++, at += step) {
        const weight = values[k];
        red += weight * bytes[at];
        green += weight * bytes[at + 1];
        blue += weight * bytes[at + 2];
      }
      result[place++] = toByte(red);
      result[place++] = toByte(green);
      result[place++] = toByte(blue);
    }
  }
  return { width, bytes: result, step: 3 };
}

/** All columns at their new height; the first row given is row `top` of what the weights count in. */
function resizeDown(source: Raster, weights: Weights, top: number): Raster {
  const { first, count, values, stride } = weights;
  const { width, bytes, step } = source;
  const height = first.length;
  const line = width * step;
  const result = new Uint8Array(height * width * 3);
  let place = 0;
  for (let y = 0; y < height; y++) {
    const end = y * stride + count[y];
    for (let x = 0; x < width; x++) {
      let at = (first[y] - top) * line + x * step;
      let red = HALF, green = HALF, blue = HALF;
      for (let k = y * stride; k < end; k++, at += line) {
        const weight = values[k];
        red += weight * bytes[at];
        green += weight * bytes[at + 1];
        blue += weight * bytes[at + 2];
      }
      result[place++] = toByte(red);
      result[place++] = toByte(green);
      result[place++] = toByte(blue);
    }
  }
  return { width, bytes: result, step: 3 };
}

function toByte(sum: number): number {
  const level = sum >> FRACTION_BITS;
  return level < 0 ? 0 : level > 255 ? 255 : level;
}
