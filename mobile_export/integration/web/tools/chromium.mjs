// Chromium without a window and without a network of its own, for the tests and for timing.
import { chromium } from "playwright-core";

const FLAGS = [
  "--no-sandbox", // a machine that builds runs it as root
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts the Chromium at a path; `close()` ends it. */
export function launch(executablePath) {
  return chromium.launch({ executablePath, headless: true, args: FLAGS });
}
