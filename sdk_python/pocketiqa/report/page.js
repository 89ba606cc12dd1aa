"use strict";
// The rows are data: whatever comes from a file's name goes into the page as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const measures = ["score", ...data.attributes];
const scored = data.photos.filter((photo) => photo.error === null);
const broken = data.photos.filter((photo) => photo.error !== null);
const $ = (id) => document.getElementById(id);
const BINS = 20;
let shown = [];      // photos in the order in which they stand
let current = 0;     // position in `shown` of the one card that Tab reaches; the arrows go on from it
let opened = -1;     // position in `shown` of the photo in the dialog
let drawn = "";      // which cards are in the page

function element(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

// A name may hold characters that turn the direction of what follows: <bdi> keeps that inside.
function nameOf(photo) {
  const made = element("bdi", photo.path.split("/").pop());
  made.title = photo.path;
  return made;
}

const two = (value) => value.toFixed(2);
const source = (photo) => `data:image/webp;base64,${photo.thumbnail}`;

function card(photo) {
  const item = element("li");
  const button = element("button", undefined, "card");
  const image = element("img");
  image.alt = "";
  image.decoding = "async";
  image.src = source(photo);
  const text = element("div");
  const score = element("small");
  score.append(element("b", two(photo.score)));
  if (photo.decision) score.append(" ", element("span", photo.decision, photo.decision));
  const name = element("small");
  name.append(nameOf(photo));
  const least = data.attributes.reduce((a, b) => (a === null || photo[b] < photo[a] ? b : a), null);
  text.append(score, name);
  if (least !== null) text.append(element("small", `${least} ${two(photo[least])}`));
  button.type = "button";
  button.tabIndex = -1;
  button.append(image, text);
  item.append(button);
  return item;
}

function show() {
  const measure = $("measure").value;
  const order = Number($("order").value);
  const words = $("name").value.toLowerCase();
  const decision = $("decision").value;
  const wanted = scored.filter((photo) => photo.path.toLowerCase().includes(words)
    && (!decision || photo.decision === decision));
  drawHistogram(wanted, measure);
  const [from, to] = range();
  shown = wanted.filter((photo) => photo[measure] >= from && photo[measure] <= to)
    .sort((a, b) => order * (a[measure] - b[measure]));
  $("shown").textContent = `${shown.length} of ${scored.length} photos are shown`;
  [current, drawn] = [0, ""];
  draw();
}

// Only the rows near the window are in the page, below an empty stretch as high as the rows before them.
function draw() {
  const list = $("photos"), { columns, height } = grid();
  const first = Math.max(0, Math.floor(-list.getBoundingClientRect().top / height) - 2);
  const [start, end] = [first * columns, (first + Math.ceil(innerHeight / height) + 4) * columns];
  if (drawn === `${start} ${end}`) return;
  drawn = `${start} ${end}`;
  const focused = list.contains(document.activeElement);
  const reached = current >= start && current < end ? current : start;
  list.style.height = `${Math.ceil(shown.length / columns) * height}px`;
  list.style.paddingTop = `${first * height}px`;
  list.replaceChildren(...shown.slice(start, end).map((photo, offset) => {
    const item = photo.item ??= card(photo);
    item.position = start + offset;
    item.setAttribute("aria-posinset", item.position + 1);
    item.setAttribute("aria-setsize", shown.length);
    item.firstChild.tabIndex = item.position === reached ? 0 : -1;
    return item;
  }));
  if (focused) shown[current].item?.firstChild.focus({ preventScroll: true });
}

function grid() {
  const style = getComputedStyle($("photos"));
  return {
    columns: style.gridTemplateColumns.split(" ").length,
    height: parseFloat(style.gridAutoRows) + parseFloat(style.rowGap),
  };
}

// An empty or senseless number filters nothing; the ends take what rounding carried past them.
function range() {
  const from = $("from").valueAsNumber, to = $("to").valueAsNumber;
  return [from > 0 ? from : -Infinity, to < 1 ? to : Infinity];
}

function drawHistogram(photos, measure) {
  const counts = new Array(BINS).fill(0);
  for (const photo of photos) counts[Math.min(BINS - 1, Math.floor(photo[measure] * BINS))] += 1;
  const most = Math.max(1, ...counts);
  const [from, to] = range();
  $("histogram").replaceChildren(...counts.map((count, bin) => {
    const [low, high] = [bin / BINS, (bin + 1) / BINS];
    const button = element("button", undefined, low >= from - 1e-9 && high <= to + 1e-9 ? "" : "out");
    button.type = "button";
    button.title = `${measure} ${two(low)} to ${two(high)}: ${count} photos`;
    button.setAttribute("aria-label", button.title);
    const bar = element("i");
    bar.style.height = count ? `max(2px, ${100 * count / most}%)` : "0";
    button.append(bar);
    button.onclick = () => { $("from").value = two(low); $("to").value = two(high); show(); };
    return button;
  }));
}

function focusOn(position) {
  if (!shown.length) return;
  current = Math.max(0, Math.min(shown.length - 1, position));
  const { columns, height } = grid();
  const top = $("photos").getBoundingClientRect().top + Math.floor(current / columns) * height;
  if (top < 0) scrollBy(0, top - 8);
  else if (top + height > innerHeight) scrollBy(0, top + height - innerHeight + 8);
  drawn = "";
  draw();
  shown[current].item.firstChild.focus({ preventScroll: true });
}

function openPhoto(position) {
  if (position < 0 || position >= shown.length) return;
  opened = position;
  const photo = shown[position];
  $("photo-name").replaceChildren(element("bdi", photo.path));
  $("verdict").replaceChildren();
  if (photo.decision) $("verdict").append(element("b", photo.decision, photo.decision), ` ${photo.reasons ?? ""}`);
  $("values").replaceChildren(...measures.map((measure) => {
    const row = element("tr");
    const meter = element("meter");
    meter.value = photo[measure];
    meter.setAttribute("aria-hidden", "true");
    const cell = element("td");
    cell.append(meter);
    row.append(element("th", measure), cell, element("td", photo[measure].toFixed(3)));
    row.firstChild.scope = "row";
    return row;
  }));
  $("explanation").textContent = photo.explanation ?? "";
  $("details").textContent = [photo.width && `${photo.width} × ${photo.height} pixels`, photo.warning]
    .filter(Boolean).join(" · ");
  // The photo itself, where the page still lies beside it; else the thumbnail.
  $("large").onerror = () => { $("large").onerror = null; $("large").src = source(photo); };
  $("large").src = source(photo);
  if (photo.link) {
    const original = new Image();
    original.onload = () => { if (shown[opened] === photo) $("large").src = photo.link; };
    original.src = photo.link;
    $("original").href = photo.link;
  }
  $("original").hidden = !photo.link;
  $("map").hidden = photo.map === null;
  // A disabled button would lose the focus, and with it the keys.
  $("previous").setAttribute("aria-disabled", String(position === 0));
  $("next").setAttribute("aria-disabled", String(position === shown.length - 1));
  drawMap();
  if (!$("photo").open) $("photo").showModal();
}

// The worse a place, the redder, between the worst and the best of this photo.
function drawMap() {
  const map = shown[opened].map;
  const visible = map !== null && $("map").getAttribute("aria-pressed") === "true";
  $("overlay").hidden = $("scale").hidden = !visible;
  if (!visible) return;
  const values = map.flat(), low = Math.min(...values), high = Math.max(...values);
  const canvas = $("overlay"), brush = canvas.getContext("2d");
  [canvas.width, canvas.height] = [map[0].length, map.length];
  const pixels = brush.createImageData(canvas.width, canvas.height);
  values.forEach((value, place) => {
    const bad = high > low ? (high - value) / (high - low) : 0;
    pixels.data.set([255, 30, 20, Math.round(190 * bad)], 4 * place);
  });
  brush.putImageData(pixels, 0, 0);
  $("scale").textContent = `Red is the worst place of this photo, ${two(low / 100)}; clear is its best, ${two(high / 100)}.`;
}

function main() {
  $("measure").replaceChildren(...measures.map((measure) => element("option", measure)));
  $("decisions").hidden = !scored.some((photo) => photo.decision);
  const refused = scored.filter((photo) => photo.decision === "refused").length;
  const mean = scored.reduce((sum, photo) => sum + photo.score, 0) / scored.length;
  $("summary").textContent = [
    `${data.photos.length} photos`, `${scored.length} scored`, scored.length ? `mean score ${two(mean)}` : "",
    $("decisions").hidden ? "" : `${refused} refused`, broken.length ? `${broken.length} could not be scored` : "",
  ].filter(Boolean).join(" · ");
  $("broken").hidden = broken.length === 0;
  $("broken").querySelector("summary").textContent = `${broken.length} photos could not be scored`;
  $("broken").querySelector("ul").replaceChildren(...broken.map((photo) => {
    const item = element("li");
    item.append(element("bdi", photo.path), ": ", element("bdi", photo.error));
    return item;
  }));
  $("made-by").textContent = Object.entries(data.made_by).map(([key, value]) => `${key} ${value}`).join(" · ");
  $("controls").addEventListener("input", show);
  $("controls").addEventListener("submit", (event) => event.preventDefault());
  $("controls").addEventListener("reset", () => setTimeout(show));
  $("photos").addEventListener("click", (event) => {
    const item = event.target.closest("li");
    if (item) openPhoto(item.position);
  });
  $("photos").addEventListener("keydown", (event) => {
    const at = event.target.closest("li")?.position ?? 0, { columns } = grid();
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + columns, ArrowUp: at - columns,
      Home: 0, End: shown.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    focusOn(to);
  });
  $("photo").addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") openPhoto(opened + 1);
    else if (event.key === "ArrowLeft") openPhoto(opened - 1);
    else if (event.key.toLowerCase() === "m") $("map").click();
  });
  $("previous").onclick = () => openPhoto(opened - 1);
  $("next").onclick = () => openPhoto(opened + 1);
  $("map").onclick = () => {
    $("map").setAttribute("aria-pressed", String($("map").getAttribute("aria-pressed") !== "true"));
    drawMap();
  };
  $("close").onclick = () => $("photo").close();
  $("photo").addEventListener("close", () => focusOn(opened));
  addEventListener("scroll", draw, { passive: true });
  addEventListener("resize", () => { drawn = ""; draw(); });
  show();
}

main();
