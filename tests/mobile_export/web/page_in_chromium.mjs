// node page_in_chromium.mjs TASK.json: uses the page of served bundles as a person does, and tells what is seen.
import { readFileSync } from "node:fs";

const { tools, chromium, origin, bundles, photos, notAPhoto, example } = JSON.parse(readFileSync(process.argv[2]));
const { launch } = await import(`${tools}/chromium.mjs`);
const browser = await launch(chromium);
const seen = {};
try {
  for (const bundle of bundles) seen[bundle] = await usePage(`${origin}/${bundle}/web/`);
  seen.example = await useExample(`${origin}/${example}`);
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}

/** At phone width, by keyboard alone but for the choice of files, which belongs to the system. */
async function usePage(address) {
  const [page, requests] = await open(address);
  await page.waitForFunction(() => !/^Loading/.test(document.getElementById("status").textContent));
  const status = () => page.textContent("#status");
  if (await page.isDisabled("#files")) return { status: await status(), requests };

  await page.keyboard.press("Tab");
  const focused = await page.evaluate(() => document.activeElement.id);
  await page.setInputFiles("#files", [...photos, notAPhoto]);
  await page.waitForFunction(() => /scored/.test(document.getElementById("status").textContent));
  const scored = await status();
  await drop(page, photos[0]);
  await page.waitForFunction((before) => document.getElementById("status").textContent !== before, scored);
  await page.waitForFunction(() => /scored/.test(document.getElementById("status").textContent));
  const hasMap = await page.isVisible("#show-map");
  if (hasMap) await press(page, "#map", "Space");
  const maps = await page.$$eval("article canvas", (all) => all.filter((one) => !one.hidden).length);
  await press(page, "#order", "ArrowDown");
  const cards = await page.$$eval("article", (all) => all.map((card) => ({
    name: card.querySelector("h2").textContent,
    score: Number(card.querySelector(".score b")?.textContent ?? NaN),
    attributes: Array.from(card.querySelectorAll("tr"), (row) => row.textContent),
    error: card.querySelector(".error")?.textContent,
  })));
  await press(page, "#check", "Enter");
  await page.waitForFunction(() => !document.getElementById("check").disabled);
  const checked = await page.textContent("#checked");
  const isWider = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  await press(page, "#clear", "Enter");
  const left = await page.$$eval("article", (all) => all.length);
  const foreign = await page.evaluate(tryToSend);
  return { focused, scored, hasMap, maps, cards, checked, isWider, foreign, left, requests };
}

async function useExample(address) {
  const [page, requests] = await open(address);
  await page.waitForFunction(() => said.textContent !== "Loading…");
  const ready = await page.textContent("#said");
  await page.setInputFiles("#photo", photos[0]);
  await page.waitForFunction((before) => said.textContent !== before, ready);
  return { ready, said: await page.textContent("#said"), requests };
}

async function open(address) {
  const page = await browser.newPage({ viewport: { width: 400, height: 800 } });
  page.setDefaultTimeout(120_000); // a busy machine
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  await page.goto(address);
  return [page, requests];
}

async function press(page, element, key) {
  await page.focus(element);
  await page.keyboard.press(key);
}

async function drop(page, file) {
  const bytes = readFileSync(file).toString("base64");
  await page.evaluate(async (content) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], "dropped.jpg"));
    document.getElementById("drop").dispatchEvent(
      new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }),
    );
  }, bytes);
}

/** Ways out of the page to another host; the names of those that the browser let through. */
async function tryToSend() {
  const host = "http://127.0.0.1:9";
  const refused = new Set();
  document.addEventListener("securitypolicyviolation", (event) => refused.add(event.effectiveDirective));
  await fetch(host, { method: "POST", body: "photo" }).catch(() => undefined);
  navigator.sendBeacon(host, "photo");
  new Image().src = `${host}/photo`;
  await import(`${host}/script.js`).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 200));
  const ways = ["connect-src", "img-src", "script-src-elem"];
  return ways.filter((way) => !refused.has(way));
}
