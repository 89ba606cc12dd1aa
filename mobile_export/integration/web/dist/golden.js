// Does this browser score as the exporter did? The golden photos' outputs against the manifest's.
/** Largest |difference| of any output: in int8 a last digit may carry a value over a rounding border. */
export const GOLDEN_BOUNDS = { int8: 0.01, fp32: 1e-4 };
/**
 * Compares quality vectors by photo. An output further off than `bound` breaks the check, and so do two photos that
 * change places although their expected scores are further apart than `bound`.
 */
export function compareGolden(expected, found, bound) {
    const photos = Object.keys(expected);
    const check = { n: photos.length, maxAbs: 0, worst: "", bound, broken: [] };
    if (!photos.length)
        check.broken.push("the bundle has no golden scores of this program");
    for (const photo of photos) {
        const gap = Math.max(...expected[photo].map((value, i) => Math.abs(value - found[photo][i])));
        if (!(gap <= check.maxAbs))
            [check.maxAbs, check.worst] = [gap, photo];
        if (!(gap <= bound))
            check.broken.push(`${photo} is ${gap.toFixed(4)} off, over ${bound}`);
    }
    for (const better of photos) {
        for (const worse of photos) {
            const isClear = expected[better][0] - expected[worse][0] > bound;
            if (isClear && !(found[better][0] > found[worse][0]))
                check.broken.push(`${better} ranks below ${worse}`);
        }
    }
    return check;
}
