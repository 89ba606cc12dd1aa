import { decode } from "./decode.js";
import { PocketIqaError } from "./errors.js";
import { readerOf, verified } from "./files.js";
import { compareGolden, GOLDEN_BOUNDS } from "./golden.js";
import { parseManifest } from "./manifest.js";
import { preprocess, shapeOf } from "./preprocess.js";
const INPUT = "photo";
// Wasm multiplies int8 no faster than float: the program rounds where its graph rounds, and multiplies in float.
const OPTIONS = { executionProviders: ["wasm"], extra: { session: { disable_quant_qdq: "1" } } };
export class PocketIqa {
    manifest;
    variant;
    read;
    ort;
    session;
    constructor(manifest, variant, read, ort, session) {
        this.manifest = manifest;
        this.variant = variant;
        this.read = read;
        this.ort = ort;
        this.session = session;
    }
    /**
     * Opens a bundle and loads its ONNX program, after its hash was checked.
     * @param bundle its address relative to the page, or a function that reads one of its files.
     * @param ort the module `onnxruntime-web`, or `onnxruntime-web/wasm`, which is smaller.
     * @param variant which program; int8 where the bundle has it.
     * @throws PocketIqaError no bundle, one that is not what its manifest says, or no ONNX program in it.
     */
    static async open(bundle, ort, variant) {
        const read = typeof bundle === "function" ? bundle : readerOf(bundle);
        const manifest = parseManifest(new TextDecoder().decode(await read("manifest.json")));
        const chosen = variant ?? ("onnx_int8" in manifest.variants ? "onnx_int8" : "onnx_fp32");
        const path = manifest.variants[chosen];
        if (!path) {
            const known = Object.keys(manifest.variants).join(", ") || "none";
            throw new PocketIqaError(`the bundle has no program ${chosen}; it has: ${known}`);
        }
        const program = await verified(read, manifest, path);
        const session = await ort.InferenceSession.create(program, OPTIONS);
        return new PocketIqa(manifest, chosen, read, ort, session);
    }
    /**
     * Scores a photo file.
     * @throws PocketIqaError the browser cannot read it, or it is too large or too small.
     */
    async score(photo) {
        return this.scorePixels(await decode(photo));
    }
    /** Scores upright pixels in sRGB: a canvas's or a video frame's `ImageData`, say. */
    async scorePixels(photo) {
        return this.run(preprocess(photo, this.manifest.input));
    }
    /** Scores an input tensor, float32 of the manifest's shape. */
    async run(input) {
        const { attributes: names, mapShape } = this.manifest;
        const photo = new this.ort.Tensor("float32", input, shapeOf(this.manifest.input));
        const outputs = await this.session.run({ [INPUT]: photo });
        const [score, ...rest] = outputs.quality.data;
        if (![score, ...rest].every(Number.isFinite) || rest.length !== names.length) {
            throw new PocketIqaError("the program gave no quality vector of numbers; check the bundle");
        }
        const map = mapShape && { height: mapShape[0], width: mapShape[1], values: outputs.map.data };
        return { score, attributes: Object.fromEntries(names.map((name, i) => [name, rest[i]])), map };
    }
    /**
     * The golden check: scores the bundle's golden photos and compares them with what the exporter measured.
     * @param decoder turns a photo file into pixels; the browser's own by default.
     * @param progress called after each photo with how many are done.
     */
    async checkGolden(decoder = decode, progress) {
        const precision = this.variant === "onnx_int8" ? "int8" : "fp32";
        const expected = {};
        const found = {};
        for (const [name, scores] of Object.entries(this.manifest.golden)) {
            if (!(precision in scores))
                continue;
            const photo = new Blob([await verified(this.read, this.manifest, name)]);
            const { score, attributes } = await this.scorePixels(await decoder(photo));
            expected[name] = scores[precision];
            found[name] = [score, ...this.manifest.attributes.map((each) => attributes[each])];
            progress?.(Object.keys(found).length);
        }
        return compareGolden(expected, found, GOLDEN_BOUNDS[precision]);
    }
}
