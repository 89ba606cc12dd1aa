// Puts ONNX Runtime's wasm beside the page, in ort/, where a plain file server finds it. `npm install` runs it.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

const from = new URL("node_modules/onnxruntime-web/", import.meta.url);
const to = new URL("ort/", import.meta.url);
// Where this package is itself a dependency, npm puts the runtime elsewhere, and an app's bundler finds it.
if (existsSync(from)) {
  mkdirSync(to, { recursive: true });
  for (const name of ["ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"]) {
    copyFileSync(new URL(`dist/${name}`, from), new URL(name, to));
  }
  const { name, version, license, repository } = JSON.parse(readFileSync(new URL("package.json", from)));
  writeFileSync(new URL("NOTICE.txt", to), `${name} ${version}, ${license} licence, from ${repository.url}\n`);
}
