// The page in the bundle: photos come in by choosing, dropping or pasting, and are scored one after the other.
import { PocketIqa } from "../index.js";
import { Card } from "./card.js";
const BUNDLE = new URL("../../../", import.meta.url);
const RUNTIME = new URL("../../ort/ort.wasm.min.mjs", import.meta.url);
const NO_RUNTIME = "ONNX Runtime is missing from the folder web/ort; run `npm install` in the folder web, and load this page again.";
const find = (id) => document.getElementById(id);
const files = find("files");
const drop = find("drop");
const status = find("status");
const order = find("order");
const map = find("map");
const check = find("check");
const checked = find("checked");
const list = find("photos");
let cards = [];
let waiting = [];
let isBusy = false;
async function load() {
    let ort;
    try {
        ort = await import(RUNTIME.href);
    }
    catch {
        throw new Error(NO_RUNTIME);
    }
    return PocketIqa.open(BUNDLE, ort);
}
function add(pocketiqa, given) {
    const added = Array.from(given, (file) => new Card(file));
    cards.push(...added);
    waiting.push(...added);
    list.append(...added.map((card) => card.element));
    find("tools").hidden = !cards.length;
    if (!isBusy)
        void scoreWaiting(pocketiqa);
}
async function scoreWaiting(pocketiqa) {
    isBusy = true;
    for (let card = waiting.shift(); card; card = waiting.shift()) {
        say(status, `Scoring ${cards.indexOf(card) + 1} of ${cards.length}…`);
        await painted();
        try {
            card.show(await pocketiqa.score(card.file), map.checked);
        }
        catch (error) {
            card.refuse(error.message);
        }
    }
    isBusy = false;
    const scored = cards.filter((card) => card.score !== null).length;
    const failed = cards.length - scored;
    say(status, cards.length ? `${count(scored)} scored${failed ? `, ${count(failed)} not readable` : ""}.` : "");
    arrange();
}
/** Photos without a score come last. */
function arrange() {
    const sign = { given: 0, best: -1, worst: 1 }[order.value];
    const worth = (card) => (card.score === null ? 2 : sign * card.score);
    const sorted = sign ? [...cards].sort((a, b) => worth(a) - worth(b)) : cards;
    list.append(...sorted.map((card) => card.element));
}
function clear() {
    cards.forEach((card) => card.remove());
    cards = [];
    waiting = [];
    find("tools").hidden = true;
    say(status, "");
    files.focus();
}
async function checkGolden(pocketiqa) {
    check.disabled = true;
    const many = Object.keys(pocketiqa.manifest.golden).length;
    try {
        const found = await pocketiqa.checkGolden(undefined, (done) => say(checked, `Checked ${done} of ${many}…`));
        const gap = `${count(found.n)} scored; the largest difference is ${found.maxAbs.toFixed(4)}, allowed is ${found.bound}`;
        if (found.broken.length)
            say(checked, `This browser does not score as exported: ${found.broken[0]}. ${gap}.`, true);
        else
            say(checked, `This browser scores as exported: ${gap}.`);
    }
    catch (error) {
        say(checked, error.message, true);
    }
    check.disabled = false;
}
function count(photos) {
    return photos === 1 ? "1 photo" : `${photos} photos`;
}
function say(place, words, isBad = false) {
    place.textContent = words;
    place.classList.toggle("bad", isBad);
}
/** Until the browser has drawn what was said: scoring keeps it busy. */
function painted() {
    return new Promise((resolve) => {
        setTimeout(resolve, 100); // a hidden page draws nothing
        requestAnimationFrame(() => setTimeout(resolve));
    });
}
function listen(pocketiqa) {
    files.addEventListener("change", () => {
        add(pocketiqa, files.files ?? []);
        files.value = ""; // so that the same photo may be chosen again
    });
    document.addEventListener("dragover", (event) => {
        event.preventDefault();
        drop.classList.add("over");
    });
    document.addEventListener("dragleave", () => drop.classList.remove("over"));
    document.addEventListener("drop", (event) => {
        event.preventDefault();
        drop.classList.remove("over");
        add(pocketiqa, event.dataTransfer?.files ?? []);
    });
    document.addEventListener("paste", (event) => add(pocketiqa, event.clipboardData?.files ?? []));
    order.addEventListener("change", arrange);
    map.addEventListener("change", () => {
        cards.forEach((card) => card.showMap(map.checked));
        find("legend").hidden = !map.checked;
    });
    find("clear").addEventListener("click", clear);
    check.addEventListener("click", () => void checkGolden(pocketiqa));
}
try {
    const pocketiqa = await load();
    const { name, version, mapShape } = pocketiqa.manifest;
    listen(pocketiqa);
    say(find("program"), `Program: pocketiqa ${name} ${version}, ${pocketiqa.variant.replace("onnx_", "")}.`);
    find("show-map").hidden = !mapShape;
    files.disabled = check.disabled = false;
    say(status, "");
}
catch (error) {
    say(status, error.message, true);
}
