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
/** What a photo is whose value is too low, where gate.json does not say; other measures' words are "NAME too low". */
export declare const GATE_WORDS: Record<string, string>;
/**
 * Reads and checks the text of a gate.json.
 * @throws PocketIqaError names what is wrong.
 */
export declare function parseGate(text: string): Gate;
/**
 * Accepts or refuses a photo.
 * @throws PocketIqaError the gate asks for a value that the network does not give.
 */
export declare function decide(gate: Gate, quality: Pick<Quality, "score" | "attributes">): Decision;
