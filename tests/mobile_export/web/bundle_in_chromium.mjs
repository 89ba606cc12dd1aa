// node bundle_in_chromium.mjs TASK.json: what Chromium, with the package alone, makes of each photo of a served folder.
// Tensors go to the folder `out`, as levels of 255.
import { readFileSync, writeFileSync } from "node:fs";

const { tools, chromium, origin, scored, decoded, out } = JSON.parse(readFileSync(process.argv[2]));
const { launch } = await import(`${tools}/chromium.mjs`);
const browser = await launch(chromium);
try {
  const page = await browser.newPage();
  await page.goto(`${origin}/bundle/manifest.json`); // of that server, and does nothing itself
  await page.evaluate(async () => {
    const { PocketIqa } = await import("/bundle/web/dist/index.js");
    window.pocketiqa = await PocketIqa.open("/bundle/", await import("/bundle/web/ort/ort.wasm.min.mjs"));
  });
  const results = {};
  for (const photo of [...scored, ...decoded]) {
    const { levels, ...found } = await page.evaluate(look, [photo, scored.includes(photo)]);
    if (levels) writeFileSync(`${out}/${photo.replaceAll("/", "-")}.u8`, Buffer.from(levels, "base64"));
    results[photo] = found;
  }
  console.log(JSON.stringify(results));
} finally {
  await browser.close();
}

async function look([photo, isScored]) {
  const { decode, preprocess } = await import("/bundle/web/dist/index.js");
  try {
    const pixels = await decode(await (await fetch(`/${photo}`)).blob());
    const tensor = preprocess(pixels, window.pocketiqa.manifest.input);
    // Levels of 255 are whole numbers, in a quarter of the bytes.
    let levels = "";
    for (let i = 0; i < tensor.length; i += 8192) {
      levels += String.fromCharCode(...tensor.subarray(i, i + 8192).map((value) => Math.round(255 * value)));
    }
    const found = { width: pixels.width, height: pixels.height, levels: btoa(levels) };
    if (!isScored) return found;
    const { score, attributes, map } = await window.pocketiqa.run(tensor);
    return { ...found, quality: [score, ...Object.values(attributes)], map: Array.from(map.values) };
  } catch (error) {
    return { error: error.message };
  }
}
