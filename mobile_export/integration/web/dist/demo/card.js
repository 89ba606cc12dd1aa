// From worst to best; orange and blue-green are told apart by every kind of eye.
const COLOURS = [[204, 76, 2], [245, 240, 225], [0, 104, 120]];
// A map that varies less is drawn paler: there is little to see in it.
const LEAST_SPAN = 0.1;
export class Card {
    file;
    element = make("article");
    score = null;
    picture = make("img");
    frame = make("div", "frame");
    words = make("div", "words");
    constructor(file) {
        this.file = file;
        this.element.setAttribute("role", "listitem");
        this.picture.src = URL.createObjectURL(file);
        this.picture.alt = "";
        this.frame.append(this.picture);
        const photo = make("div", "photo");
        photo.append(this.frame);
        this.words.append(make("h2", "", file.name));
        this.element.append(photo, this.words);
    }
    /** Shows what the photo got. */
    show({ score, attributes, map }, withMap) {
        this.score = score;
        const line = make("div", "score");
        line.append(make("b", "", score.toFixed(2)), bar(score));
        this.words.append(line);
        if (Object.keys(attributes).length) {
            const table = make("table");
            for (const [name, value] of Object.entries(attributes)) {
                const row = table.insertRow();
                const head = make("th", "", name);
                head.scope = "row";
                row.append(head);
                row.insertCell().append(bar(value));
                row.insertCell().append(value.toFixed(2));
            }
            this.words.append(table);
        }
        if (map) {
            const [least, most] = [Math.min(...map.values), Math.max(...map.values)];
            this.words.append(make("p", "local", `local quality from ${least.toFixed(2)} to ${most.toFixed(2)}`));
            this.frame.append(overlay(map, least, most));
            this.showMap(withMap);
        }
    }
    /** Shows why the photo has no score. */
    refuse(why) {
        this.picture.remove();
        this.words.append(make("p", "error", why));
    }
    showMap(shown) {
        const canvas = this.frame.querySelector("canvas");
        if (canvas)
            canvas.hidden = !shown;
    }
    remove() {
        URL.revokeObjectURL(this.picture.src);
        this.element.remove();
    }
}
/**
 * The photo's own worst place to its best one, in colours: one pixel a value. The style sheet stretches the canvas over
 * the photo, and the browser smooths it.
 */
function overlay(map, least, most) {
    const span = Math.max(most - least, LEAST_SPAN);
    const start = (least + most - span) / 2;
    const canvas = make("canvas");
    canvas.width = map.width;
    canvas.height = map.height;
    canvas.setAttribute("aria-hidden", "true");
    const context = canvas.getContext("2d");
    const image = context.createImageData(map.width, map.height);
    map.values.forEach((value, i) => image.data.set([...colourOf((value - start) / span), 255], 4 * i));
    context.putImageData(image, 0, 0);
    return canvas;
}
function colourOf(value) {
    const place = Math.min(Math.max(value, 0), 1) * (COLOURS.length - 1);
    const below = Math.min(Math.floor(place), COLOURS.length - 2);
    return COLOURS[below].map((channel, i) => channel + (place - below) * (COLOURS[below + 1][i] - channel));
}
/** Beside the number, which says the same. */
function bar(value) {
    const track = make("div", "bar");
    const filled = make("div");
    filled.style.width = `${100 * value}%`;
    track.append(filled);
    return track;
}
function make(name, className = "", text = "") {
    const element = document.createElement(name);
    element.className = className;
    element.textContent = text;
    return element;
}
