// node time.mjs TASK.json: times one photo in Chromium with a served bundle, after its golden check; prints JSON.
import { readFileSync } from "node:fs";
import { launch } from "./chromium.mjs";

const { chromium, origin, photo, variant, runs, warmups } = JSON.parse(readFileSync(process.argv[2]));
const browser = await launch(chromium);
try {
  const page = await browser.newPage();
  await page.goto(`${origin}/bundle/manifest.json`); // of that server, and does nothing itself
  const measured = await page.evaluate(measure, { photo, variant, runs, warmups });
  console.log(JSON.stringify({ browser: `Chromium ${browser.version()}`, ...measured }));
} finally {
  await browser.close();
}

async function measure({ photo, variant, runs, warmups }) {
  const { decode, PocketIqa, preprocess } = await import("/bundle/web/dist/index.js");
  const ort = await import("/bundle/web/ort/ort.wasm.min.mjs");
  const began = performance.now();
  const pocketiqa = await PocketIqa.open("/bundle/", ort, variant ?? undefined);
  const loaded = performance.now() - began;
  const golden = await pocketiqa.checkGolden();
  const file = await (await fetch(photo)).blob();
  const ms = { decode: [], preprocess: [], inference: [] };
  for (let run = 0; run < warmups + runs && !golden.broken.length; run++) {
    const marks = [performance.now()];
    const pixels = await decode(file);
    marks.push(performance.now());
    const input = preprocess(pixels, pocketiqa.manifest.input);
    marks.push(performance.now());
    await pocketiqa.run(input);
    marks.push(performance.now());
    if (run >= warmups) Object.values(ms).forEach((times, step) => times.push(marks[step + 1] - marks[step]));
  }
  const runtime = `onnxruntime-web ${ort.env.versions.web}`;
  return { runtime, variant: pocketiqa.variant, golden, loaded, ms };
}
