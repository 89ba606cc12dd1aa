// manifest.json: what a bundle holds, how to feed it, and what its golden photos must score. It may be a stranger's
// file, so every field that is used is checked, and a mistake is one line that names it.
import { PocketIqaError } from "./errors.js";
import type { InputSpec, View } from "./preprocess.js";
import { FILTERS, type Filter } from "./resample.js";

export interface FileEntry {
  bytes: number;
  sha256: string;
}

export interface Manifest {
  name: string;
  version: string;
  input: InputSpec;
  /** Names of the quality vector's entries after the score; none where the network gives a score alone. */
  attributes: string[];
  /** [height, width] of the map of local quality; null where the network gives none. */
  mapShape: [number, number] | null;
  files: Record<string, FileEntry>;
  /** Paths of the programs, by the variant's name. */
  variants: Record<string, string>;
  /** Expected quality vectors, by photo and variant. */
  golden: Record<string, Record<string, number[]>>;
}

type Values = Record<string, unknown>;

const SCHEMA_VERSION = 2;
const LONGEST_SIDE = 4096;
// Only these values are implemented; a manifest states them so that nobody need guess.
const FIXED: Values = {
  antialias: true,
  rounding: "uint8",
  colour_order: "RGB",
  value_range: [0, 1],
  layout: "NCHW",
};

/**
 * Reads and checks the text of a manifest.
 * @throws PocketIqaError names the field that is missing or wrong.
 */
export function parseManifest(text: string): Manifest {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new PocketIqaError(`manifest.json is not JSON: ${(error as Error).message}`);
  }
  const values = object(parsed, "manifest.json");
  if (values.schema_version !== 1 && values.schema_version !== SCHEMA_VERSION) {
    throw new PocketIqaError(
      `manifest.json has schema_version ${show(values.schema_version)}; this package reads 1 to ${SCHEMA_VERSION}`,
    );
  }
  const outputs = object(values.outputs, "outputs");
  object(outputs.score, "outputs.score");
  const attributes = "attributes" in outputs ? namesOf(object(outputs.attributes, "outputs.attributes")) : [];
  const manifest: Manifest = {
    name: string(values.name, "name"),
    version: string(values.version, "version"),
    input: inputOf(object(values.input, "input")),
    attributes,
    mapShape: "map" in outputs ? shapeOf(object(outputs.map, "outputs.map")) : null,
    files: entries(object(values.files, "files"), fileOf),
    variants: entries(object(values.variants, "variants"), (entry, where) =>
      string(object(entry, where).path, `${where}.path`)),
    golden: entries(object(values.golden ?? {}, "golden"), (scores, where) =>
      entries(object(scores, where), (vector, at) => vectorOf(vector, at, 1 + attributes.length))),
  };
  for (const photo of Object.keys(manifest.golden)) {
    if (!Object.hasOwn(manifest.files, photo)) throw new PocketIqaError(`golden photo ${photo} is not among files`);
  }
  return manifest;
}

function inputOf(values: Values): InputSpec {
  for (const [name, only] of Object.entries(FIXED)) {
    if (name in values && show(values[name]) !== show(only)) {
      throw new PocketIqaError(`input.${name} is ${show(values[name])}; this package implements only ${show(only)}`);
    }
  }
  const views = list(values.views ?? ["whole"], "input.views");
  const known = views.every((view) => view === "whole" || view === "detail");
  if (!views.length || !known || new Set(views).size !== views.length) {
    throw new PocketIqaError(`input.views is ${show(views)}; allowed are whole and detail, each once`);
  }
  const resample = values.resample ?? "bicubic";
  if (!FILTERS.includes(resample as Filter)) {
    throw new PocketIqaError(`input.resample is ${show(resample)}; implemented are ${FILTERS.join(", ")}`);
  }
  const reduction = values.reduction ?? "none";
  if (reduction !== "none" && reduction !== "halves") {
    throw new PocketIqaError(`input.reduction is ${show(reduction)}; implemented are none, halves`);
  }
  const height = side(values.height, "input.height", LONGEST_SIDE);
  const width = side(values.width, "input.width", LONGEST_SIDE);
  const detailShortSide = side(values.detail_short_side ?? 1024, "input.detail_short_side", LONGEST_SIDE);
  return {
    height,
    width,
    views: views as View[],
    detailShortSide,
    resample: resample as Filter,
    enough: reduction === "halves" ? Math.floor((Math.max(detailShortSide, height, width) * 7) / 5) : null,
    enoughForWhole: reduction === "halves" ? 2 * Math.max(height, width) : null,
  };
}

function namesOf(values: Values): string[] {
  const names = list(values.names ?? [], "outputs.attributes.names");
  names.forEach((name) => string(name, "a name of outputs.attributes.names"));
  if (new Set(names).size !== names.length) {
    throw new PocketIqaError("outputs.attributes.names has a name twice");
  }
  return names as string[];
}

function shapeOf(values: Values): [number, number] {
  const shape = list(values.shape, "outputs.map.shape");
  if (shape.length !== 2) throw new PocketIqaError(`outputs.map.shape is ${show(shape)}; it must be [h, w]`);
  return [side(shape[0], "outputs.map.shape", LONGEST_SIDE), side(shape[1], "outputs.map.shape", LONGEST_SIDE)];
}

function fileOf(entry: unknown, where: string): FileEntry {
  const { bytes, sha256 } = object(entry, where);
  if (!Number.isInteger(bytes) || (bytes as number) < 0 || !/^[0-9a-f]{64}$/.test(String(sha256))) {
    throw new PocketIqaError(`${where} needs bytes of 0 or more and a sha256 of 64 hexadecimal digits`);
  }
  return { bytes: bytes as number, sha256: sha256 as string };
}

function vectorOf(vector: unknown, where: string, length: number): number[] {
  const values = list(vector, where);
  if (values.length !== length || !values.every((v) => typeof v === "number" && v >= 0 && v <= 1)) {
    throw new PocketIqaError(`${where} must hold ${length} numbers in [0, 1]: score, then the attributes`);
  }
  return values as number[];
}

function entries<T>(values: Values, read: (entry: unknown, where: string) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([name, entry]) => [name, read(entry, show(name))]));
}

function side(value: unknown, where: string, most: number): number {
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most) return value as number;
  throw new PocketIqaError(`${where} is ${show(value)}; it must be an integer of 1 to ${most}`);
}

function object(value: unknown, where: string): Values {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Values;
  throw new PocketIqaError(`${where} is ${show(value)}; it must be an object`);
}

function list(value: unknown, where: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new PocketIqaError(`${where} is ${show(value)}; it must be a list`);
}

function string(value: unknown, where: string): string {
  if (typeof value === "string" && value) return value;
  throw new PocketIqaError(`${where} is ${show(value)}; it must be a string`);
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? "missing").slice(0, 100);
}
