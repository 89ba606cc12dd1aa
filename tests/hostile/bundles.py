"""Bundles as a careless or a hostile author writes them: manifests, programs, Core ML packages, packed files."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pocketiqa.packing import pack

from tests.hostile.command import Said, pocketiqa
from tests.hostile.mutations import MUTATIONS
from tests.hostile.place import Place, replace_file
from tests.hostile.tally import Tally

PROGRAM = "xnnpack/student_int8.pte"
PACKAGE = "coreml/student_fp16.mlpackage"
# A hostile program may loop for ever; the command is then ended from outside.
PROGRAM_SECONDS = 20.0
COMMANDS = ("score", "inspect", "verify")
_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2**31, 2**63, 10**400, 1e308, 0.5, "", "x", "../../etc/passwd", "/etc/passwd", "a\0b", "a\nb",
    "\x1b[2J", "\ud800", "é" * 200, "x" * 100_000, [], [[]], {}, {"a": {}}, ["x"] * 1000, "manifest.json", ".", "C:\\a",
)  # fmt: skip


def try_manifests(place: Place, tally: Tally, n: int) -> None:
    """``n`` manifests, their values or their bytes changed, through score, inspect and verify."""
    folder = place.copy_of_bundle("manifests")
    text = (place.bundle / "manifest.json").read_bytes()
    for i in range(n):
        if i % 3:
            kind, content = "manifest, a value changed", json.dumps(_changed(json.loads(text), place.random)).encode()
        else:
            mutate = MUTATIONS[place.random.integers(len(MUTATIONS))]
            kind, content = "manifest, bytes changed", mutate(text, place.random)
        replace_file(folder / "manifest.json", content)
        judge(place, tally, kind, run(place, COMMANDS[i // 3 % 3], folder))


def _changed(values: dict[str, Any], random: np.random.Generator) -> dict[str, Any]:
    """One value anywhere in a JSON tree removed, replaced, or given another name."""
    places = list(_places(values))
    for _ in range(random.integers(1, 3)):
        parent, key = places[random.integers(len(places))]
        action, value = random.integers(4), copy.deepcopy(_VALUES[random.integers(len(_VALUES))])
        if isinstance(parent, list):
            parent[key % len(parent) : key % len(parent) + 1] = [value] * int(action)
        elif action == 0:
            parent.pop(key, None)
        elif action == 1 and isinstance(value, str):
            parent[value] = parent.pop(key, None)
        else:
            parent[key] = value
        places = list(_places(values))
    return values


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    for key in tree if isinstance(tree, dict) else range(len(tree)):
        yield tree, key
        if isinstance(tree[key], (dict, list)) and tree[key]:
            yield from _places(tree[key])


def run(place: Place, command: str, bundle: Path, seconds: float = PROGRAM_SECONDS) -> Said:
    """One of the three commands on a bundle."""
    if command == "score":
        return pocketiqa("score", str(place.photo), "--bundle", str(bundle), "--format", "jsonl", seconds=seconds)
    return pocketiqa(command, str(bundle), seconds=seconds)


def judge(place: Place, tally: Tally, kind: str, said: Said, allowed: tuple[str, ...] = ()) -> None:
    """Count one run: nothing may crash unreported, and a bundle that scores at all scores as it should.

    Args:
        place: its photo is what ``score`` was asked for.
        tally: where it is counted.
        kind: of bad input.
        said: by the command.
        allowed: ``crash`` and ``score`` where the author is hostile and chose the program too.
    """
    tally.cost(said.grown_mib, said.seconds)
    wrong = said.misbehaviour()
    if "crash" in allowed and wrong and wrong.startswith("hung"):
        tally.add("bundles", kind, "crash reported")  # the limit of time is the caller's to set, and was
        return
    if said.crash and "crash" in allowed:
        tally.add("bundles", kind, "crash reported")
        return
    if not wrong and said.crash:
        wrong = f"a crash: {said.errors.strip()}"
    if not wrong and said.status == 1 and not any(word in said.output for word in ("BROKEN", "problems", '"error"')):
        wrong = f"exit status 1 without a reason: {said.output[:100]!r} {said.errors[:200]!r}"
    if not wrong and said.status == 0 and said.output.startswith('{"path"') and "score" not in allowed:
        score = json.loads(said.output.splitlines()[0])["score"]
        wrong = None if score == place.score else f"another score: {score}"
    if wrong:
        tally.fail("bundles", kind, f"{wrong}"[:400])
    else:
        tally.add("bundles", kind, "harmless" if said.status == 0 else "refused")


def try_tampered(place: Place, tally: Tally, n: int) -> None:
    """``n`` programs, photos and package files changed under a manifest that was not: the hash must tell."""
    folder = with_package(place)
    names = [PROGRAM, PROGRAM, *json.loads((folder / "manifest.json").read_bytes())["golden"]]
    names += [f"{PACKAGE}/{name}" for name in ("Manifest.json", "Data/com.apple.CoreML/model.mlmodel")] * 2
    for i in range(n):
        name = names[i % len(names)]
        kind = f"tampered {'.mlpackage' if PACKAGE in name else Path(name).suffix}"
        original = (folder / name).read_bytes()
        changed = MUTATIONS[place.random.integers(len(MUTATIONS))](original, place.random)
        replace_file(folder / name, changed)
        command = "score" if name == PROGRAM and i % 2 else COMMANDS[1 + i % 2]
        said = run(place, command, folder)
        tally.cost(said.grown_mib, said.seconds)
        told = said.output + said.errors
        if changed == original:
            tally.add("bundles", kind, "harmless")
        elif said.status in (1, 2) and not said.misbehaviour() and ("sha256" in told or "bytes, not" in told):
            tally.add("bundles", kind, "refused")
        else:
            tally.fail("bundles", kind, f"{command} did not refuse it: {told[:300]!r} {said.misbehaviour()}")
        replace_file(folder / name, original)


def with_package(place: Place) -> Path:
    """The bundle with a Core ML package of the usual files; nothing here looks into them but by their hash."""
    folder = place.copy_of_bundle("tampered")
    values = json.loads((folder / "manifest.json").read_bytes())
    for name, size in {
        "Manifest.json": 600,
        "Data/com.apple.CoreML/model.mlmodel": 4000,
        "Data/com.apple.CoreML/weights/weight.bin": 9000,
    }.items():
        path = folder / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(place.random.bytes(size))
        values["files"][f"{PACKAGE}/{name}"] = entry(path.read_bytes())
    values["variants"]["coreml_fp16"] = {"path": PACKAGE, "backend": "coreml"}
    replace_file(folder / "manifest.json", json.dumps(values).encode())
    return folder


def entry(content: bytes) -> dict[str, object]:
    """What a manifest says of a file."""
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def try_programs(place: Place, tally: Tally, n: int) -> list[tuple[str, bytes]]:
    """``n`` damaged programs whose manifest carries hashes that fit: the runtime meets them, and may fail or die,
    and the command reports it. Returns the commands and programs at which it died, for a closer look."""
    folder = place.copy_of_bundle("programs")
    text = json.loads((folder / "manifest.json").read_bytes())
    original = (folder / PROGRAM).read_bytes()
    fatal = []
    for i in range(n):
        program = damaged_program(original, place.random)
        command = ("score", "inspect", "verify", "lone")[i % 4]
        replace_file(folder / PROGRAM, program)
        if command == "lone":
            said = pocketiqa("inspect", str(folder / PROGRAM), seconds=PROGRAM_SECONDS)
        else:
            text["files"][PROGRAM] |= entry(program)
            replace_file(folder / "manifest.json", json.dumps(text).encode())
            said = run(place, command, folder)
        judge(place, tally, "damaged .pte, hash made to fit", said, allowed=("crash", "score"))
        if said.crash or said.status is None:
            fatal.append((f"{command}: {said.errors.strip() or said.ending}", program))
    return fatal


def damaged_program(program: bytes, random: np.random.Generator) -> bytes:
    """Changed where its structure is: the flatbuffer at its begin or that of the delegate, seldom the weights."""
    delegate = program.find(b"XH00")
    regions = [(8, 64), (64, 3000), (64, delegate if delegate > 0 else len(program)), (delegate, delegate + 4000)]
    regions.append((0, len(program)))
    begin, end = regions[random.integers(len(regions))]
    begin, end = max(begin, 0), min(end, len(program))
    mutate = MUTATIONS[random.integers(len(MUTATIONS))]
    changed = mutate(program[begin:end], random)
    if random.random() < 0.8:  # keep every offset behind it where it was
        changed = changed[: end - begin].ljust(end - begin, b"\0")
    return program[:begin] + changed + program[end:]


def try_archives(place: Place, tally: Tally, n: int) -> None:
    """``n`` packed bundles, damaged or made as attacks, through score, inspect, verify and unpack."""
    path = pack(place.bundle, place.root / "sound.pocketiqa")
    content = path.read_bytes()
    attacks = list(_attacks(path))
    folder = place.fresh("archives")
    hostile = folder / "hostile.pocketiqa"
    for i in range(n):
        if i < 4 * len(attacks):
            kind, changed = "packed bundle made as an attack", attacks[i // 4]
        else:
            # Where names, sizes and offsets are: the table of contents at the end, more often than the rest.
            half = content[-3000:] if place.random.random() < 0.7 else content
            changed = MUTATIONS[place.random.integers(len(MUTATIONS))](half, place.random)
            kind, changed = "packed bundle, damaged", content[: len(content) - len(half)] + changed
        replace_file(hostile, changed)
        target = folder / "inside" / "unpacked"
        target.parent.mkdir(exist_ok=True)
        if i % 4 == 3:
            said = pocketiqa("unpack", str(hostile), str(target))
            written = {str(found.relative_to(folder)) for found in folder.rglob("*") if not found.is_dir()}
            outside = {name for name in written if not name.startswith("inside/unpacked/")} - {hostile.name}
            if outside or any(found.is_symlink() for found in folder.rglob("*")):
                tally.fail("bundles", kind, f"unpacked {sorted(outside)}")
            judge(place, tally, kind, said)
            place.fresh("archives/inside")
        else:
            judge(place, tally, kind, run(place, COMMANDS[i % 4], hostile))


def _attacks(sound: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(sound) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members["manifest.json"])
    for name in ("../escaped", "/tmp/escaped", "a/../../../escaped", "..\\escaped", "C:\\escaped", "golden/"):
        yield _zip(members | {name: b"escaped"})
        listed = copy.deepcopy(manifest)
        listed["files"][name] = entry(b"escaped")
        yield _zip(members | {name: b"escaped", "manifest.json": json.dumps(listed).encode()})
    bomb = bytes(64 * 2**20)
    yield _zip(members | {PROGRAM: bomb})
    listed = copy.deepcopy(manifest)
    listed["files"][PROGRAM] |= entry(bomb)
    yield _zip(members | {PROGRAM: bomb, "manifest.json": json.dumps(listed).encode()})
    yield _zip(members | {"manifest.json": b" " * 10**8})
    yield _zip(members, compression=zipfile.ZIP_BZIP2)
    yield _zip({name: content for name, content in members.items() if name != "manifest.json"})
    yield _zip(members | {PROGRAM + "/inside": b"x"})
    link = zipfile.ZipInfo("golden/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    yield _zip(members, link)
    plain = bytearray(sound.read_bytes())
    for place, value in ((-10, 2**31), (-6, 0), (-6, 2**32 - 1), (-12, 65535)):
        changed = bytearray(plain)
        struct.pack_into("<L" if value > 65535 or place != -12 else "<H", changed, len(plain) + place, value)
        yield bytes(changed)
    yield bytes(plain) * 2
    yield bytes(plain[:30])


def _zip(members: dict[str, bytes], *links: zipfile.ZipInfo, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        for link in links:
            archive.writestr(link, os.fsencode("/etc/passwd"))
    return file.getvalue()
