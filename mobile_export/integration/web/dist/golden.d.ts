/** Largest |difference| of any output: in int8 a last digit may carry a value over a rounding border. */
export declare const GOLDEN_BOUNDS: {
    int8: number;
    fp32: number;
};
/** Photos, the largest difference and where it is, and one line for everything that is not as exported. */
export interface GoldenCheck {
    n: number;
    maxAbs: number;
    worst: string;
    bound: number;
    broken: string[];
}
/**
 * Compares quality vectors by photo. An output further off than `bound` breaks the check, and so do two photos that
 * change places although their expected scores are further apart than `bound`.
 */
export declare function compareGolden(expected: Record<string, number[]>, found: Record<string, number[]>, bound: number): GoldenCheck;
