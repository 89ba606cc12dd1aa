// May a photo be used? gate.json's thresholds on the score and the attributes, as `pocketiqa gate` decides.
import { PocketIqaError } from "./errors.js";
import type { Quality } from "./scorer.js";

/** `measure` (`score` or an attribute) must be `least` or more; `words` say what a photo is that has less. */
export interface Threshold {
  measure: string;
  least: number;
  words: string;
}

/** `thresholds` refuse; `hints` explain a refusal beside them. */
export interface Gate {
  thresholds: Threshold[];
  hints: Threshold[];
}

/** The reasons of a refused photo: what refuses it, in the file's order, then hints; none of an accepted one. */
export interface Decision {
  accepted: boolean;
  reasons: string[];
}

const SCHEMA_VERSION = 1;
const STEPS = 1000; // values are shown cut to thousandths
/** What a photo is whose value is too low, where gate.json does not say; other measures' words are "NAME too low". */
export const GATE_WORDS: Record<string, string> = {
  score: "poor quality",
  sharpness: "too blurred",
  noise: "too noisy",
  exposure: "badly exposed",
  contrast: "too little contrast",
  colour: "unnatural colours",
  compression: "too compressed",
};

/**
 * Reads and checks the text of a gate.json.
 * @throws PocketIqaError names what is wrong.
 */
export function parseGate(text: string): Gate {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new PocketIqaError(`gate.json is not JSON: ${(error as Error).message}`);
  }
  const values = parsed as Record<string, unknown> | null;
  if (values?.schema_version !== SCHEMA_VERSION) {
    const found = values?.schema_version;
    throw new PocketIqaError(`gate.json has schema_version ${found}; this code reads ${SCHEMA_VERSION}`);
  }
  const [thresholds, hints] = [values.thresholds, values.hints ?? []];
  return { thresholds: thresholdsOf(thresholds, "thresholds"), hints: thresholdsOf(hints, "hints") };
}

/**
 * Accepts or refuses a photo.
 * @throws PocketIqaError the gate asks for a value that the network does not give.
 */
export function decide(gate: Gate, quality: Pick<Quality, "score" | "attributes">): Decision {
  const values: Record<string, number> = { ...quality.attributes, score: quality.score };
  const refusals = under(gate.thresholds, values);
  const hints = under(gate.hints, values).filter((hint) => !refusals.some((other) => other.measure === hint.measure));
  if (refusals.length === 0) return { accepted: true, reasons: [] };
  const worded = (threshold: Threshold, beside: string) => {
    const shown = Math.floor(values[threshold.measure] * STEPS) / STEPS;
    return `${threshold.words}: ${threshold.measure} ${shown.toFixed(3)}, ${beside} ${threshold.least.toFixed(3)}`;
  };
  const explained = hints.map((hint) => worded(hint, "good photos have"));
  return { accepted: false, reasons: [...refusals.map((threshold) => worded(threshold, "needs")), ...explained] };
}

function under(thresholds: Threshold[], values: Record<string, number>): Threshold[] {
  for (const { measure } of thresholds) {
    if (!Object.hasOwn(values, measure)) {
      const given = Object.keys(values).join(", ");
      throw new PocketIqaError(`the gate asks for "${measure}", and this network gives ${given}`);
    }
  }
  return thresholds.filter(({ measure, least }) => values[measure] < least);
}

function thresholdsOf(entries: unknown, where: string): Threshold[] {
  if (!Array.isArray(entries)) throw new PocketIqaError(`gate.json needs a list of ${where}`);
  return entries.map((entry) => {
    const { measure, least, words } = (entry ?? {}) as Partial<Threshold>;
    if (typeof measure !== "string" || typeof least !== "number" || !(least >= 0 && least <= 1)) {
      throw new PocketIqaError(`gate.json: each of ${where} needs a measure, and a least from 0 to 1`);
    }
    return { measure, least, words: words ?? GATE_WORDS[measure] ?? `${measure} too low` };
  });
}
