"""Is a bundle what it says? Its hashes, its golden scores, and its quantized program against the float one.

Hashes must be exact. Every output on the golden photos must be within ``pocketiqa.promises.GOLDEN`` of what the
exporter measured. int8 must keep what the bundle's manifest promises of fp32, on the golden photos or on others, and a
gate must decide alike by both.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pocketiqa.bundle import Bundle
from pocketiqa.decision_flips import DecisionFlips, decision_flips
from pocketiqa.errors import BundleError, PocketiqaError, one_line
from pocketiqa.files import read_regular_file
from pocketiqa.gate import SCORE, Gate
from pocketiqa.limits import PhotoLimits
from pocketiqa.parity import ParityReport, compare
from pocketiqa.promises import GOLDEN, Promise
from pocketiqa.scorer import Scorer


@dataclass
class Verification:
    """What was found.

    Attributes:
        bundle: its name and version.
        runtime: which runtime ran the programs; None when none could be loaded.
        golden: per variant, ``{"n", "max_abs", "mean_abs", "bound"}`` over all outputs of the golden photos.
        parity: int8 against fp32 on the photos of ``source``; None when it could not be measured.
        promise: what int8 was held to in that comparison.
        attributes: mean |int8 − fp32| of each attribute on the same photos.
        decisions: how many of the same photos the gate decides otherwise; None where there is no gate.
        source: which photos, and where their float scores come from, in words.
        failed: photos that could not be scored, with the reason; they are left out.
        broken: one line for everything that is not as it should be; empty for a sound bundle.
    """

    bundle: str
    runtime: str | None = None
    golden: dict[str, dict[str, float]] = field(default_factory=dict)
    parity: ParityReport | None = None
    promise: Promise | None = None
    attributes: dict[str, float] = field(default_factory=dict)
    decisions: DecisionFlips | None = None
    source: str = ""
    failed: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        parts = {name: getattr(self, name) for name in ("parity", "promise", "decisions")}
        nested = {name: part and part.to_dict() for name, part in parts.items()}
        return {**vars(self), **nested, "ok": not self.broken}

    def __str__(self) -> str:
        lines = [f"{self.bundle} with {self.runtime or 'no runtime'}"]
        for variant, row in self.golden.items():
            lines.append(
                f"golden {variant}: n {row['n']}, max |Δ| {row['max_abs']:.5f} (bound {row['bound']:g}), "
                f"mean |Δ| {row['mean_abs']:.5f}"
            )
        if self.parity:
            lines += [f"int8 against fp32 on {self.source}", str(self.parity)]
            if self.attributes:
                lines.append("mean |Δ| of " + ", ".join(f"{name} {gap:.4f}" for name, gap in self.attributes.items()))
            lines.append(f"promised: {self.promise}")
        if self.decisions:
            lines.append(f"at the gate {self.decisions}")
        lines += [f"left out: {name}: {reason}" for name, reason in self.failed.items()]
        lines += [f"BROKEN: {line}" for line in self.broken] or ["sound"]
        return "\n".join(lines)


def verify_bundle(
    path: str | Path,
    images: list[Path] | None = None,
    promise: Promise | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
    gate: Gate | None = None,
) -> Verification:
    """Check a bundle.

    Args:
        path: the bundle's folder or packed file.
        images: photos to compare int8 with fp32 on, copies once; the golden photos otherwise.
        promise: for that comparison; the manifest's otherwise, as :meth:`Promise.on_golden_photos` for those.
        progress: wraps the loops over photos, e.g. ``tqdm``.
        gate: whose decisions are compared; the bundle's own otherwise, if it has one.

    Raises:
        BundleError: no bundle, or ``images`` are given and the bundle has no float program to compare with.
        RuntimeUnavailable: no runtime is installed.
        PocketiqaError: ``gate`` asks for values that the bundle does not give.
    """
    bundle = Bundle.open(path)
    if gate is not None:
        gate.check_measures((SCORE, *bundle.manifest.attribute_names))
    found = Verification(bundle.label, broken=bundle.problems())
    if found.broken:
        return found  # nothing of a changed bundle is run
    if images is not None and not (bundle.has("int8") and bundle.has("fp32")):
        raise BundleError(f"{bundle.label} has not both int8 and fp32; compare on its golden photos instead")
    scorers = {}
    for variant in ("int8", "fp32"):
        if bundle.has(variant):
            try:
                scorers[variant] = Scorer(bundle, variant)
            except PocketiqaError as error:
                found.broken.append(f"{variant}: {one_line(error)}")
    if not scorers:
        found.broken = found.broken or ["the bundle holds no program that runs here (int8 or fp32)"]
        return found
    found.runtime = next(iter(scorers.values())).runtime_name
    golden = {
        variant: _score(scorer, {name: bundle.read(name) for name in bundle.golden}, progress, found)
        for variant, scorer in scorers.items()
    }
    _check_golden(found, bundle, golden)
    if images is None:
        measured = golden
        found.source = f"{len(bundle.golden)} golden photos"
        if "fp32" not in scorers:
            measured = golden | {"fp32": _expected(bundle, "fp32")}
            found.source += "; fp32 is not in the bundle: the exporter's recorded fp32 scores stand in"
    else:
        different = _different(images)
        named = _named(different)
        measured = {variant: _score(scorer, named, progress, found) for variant, scorer in scorers.items()}
        found.source = f"{len(different)} photos"
        if copies := len(images) - len(different):
            found.source += f" (copies of them left out: {copies})"
    if len(measured) == 2:
        made = bundle.manifest.promise
        _compare(found, bundle, measured, promise or (made.on_golden_photos() if images is None else made), gate)
    return found


def _score(
    scorer: Scorer,
    photos: Mapping[str, Path | bytes],
    progress: Callable[[Iterable[Any]], Iterable[Any]],
    found: Verification,
) -> dict[str, np.ndarray]:
    """Quality vectors, float64 of shape (1 + attributes,), by name; failures go to ``found.failed``."""
    vectors = {}
    for name, result in zip(photos, progress(scorer.batch(photos.values()))):
        if result.error is None:
            vectors[name] = np.array([result.score, *result.attributes.values()])
        else:
            found.failed[name] = result.error
    return vectors


def _expected(bundle: Bundle, variant: str) -> dict[str, np.ndarray]:
    return {name: np.array(rows[variant]) for name, rows in bundle.golden.items() if variant in rows}


def _check_golden(found: Verification, bundle: Bundle, golden: dict[str, dict[str, np.ndarray]]) -> None:
    if not bundle.golden:
        found.broken.append("the bundle has no golden photos: nothing shows that its programs score as exported")
    for name in bundle.golden:
        if name in found.failed:
            found.broken.append(f"golden photo {name} cannot be scored: {found.failed[name]}")
    for variant, scores in golden.items():
        expected = _expected(bundle, variant)
        common = [name for name in scores if name in expected]
        if not common:
            found.broken.append(f"{variant}: the manifest has no expected golden scores")
            continue
        gaps = np.abs([scores[name] - expected[name] for name in common])
        bound = GOLDEN[variant]
        found.golden[variant] = {
            "n": len(common),
            "max_abs": float(gaps.max()),
            "mean_abs": float(gaps.mean()),
            "bound": bound,
        }
        for name, gap in zip(common, gaps.max(axis=1)):
            if gap > bound:
                found.broken.append(f"{variant} on {name} is {gap:.4f} from its golden scores (bound {bound:g})")


def _compare(
    found: Verification,
    bundle: Bundle,
    measured: dict[str, dict[str, np.ndarray]],
    promise: Promise,
    gate: Gate | None,
) -> None:
    names = [name for name in measured["int8"] if name in measured["fp32"]]
    if not names:
        found.broken.append(f"int8 and fp32 could not be compared: none of {found.source} was scored by both")
        return
    fp32, int8 = (np.array([measured[variant][name] for name in names]) for variant in ("fp32", "int8"))
    found.promise = promise
    found.parity = compare(fp32[:, 0], int8[:, 0], names)
    gaps = np.abs(int8 - fp32).mean(axis=0)[1:]
    found.attributes = dict(zip(bundle.manifest.attribute_names, map(float, gaps)))
    found.broken += [f"int8 against fp32: {line}" for line in found.parity.broken(promise)]
    unique = len(np.unique(fp32[:, 0])) / len(names)
    found.broken += [f"fp32: {line}" for line in promise.broken(len(names), {"unique": unique})]
    measures = (SCORE, *bundle.manifest.attribute_names)
    try:
        if gate := gate or (Gate.of(bundle) if bundle.manifest.gate else None):
            found.decisions = decision_flips(gate, measures, fp32, int8, names)
            found.broken += found.decisions.broken()
    except PocketiqaError as error:
        found.broken.append(f"the bundle's gate: {one_line(error)}")


def _different(images: list[Path]) -> list[Path]:
    """The first file of each content; what cannot be read stays, to be told. Copies would count as equal scores."""
    first: dict[str, Path] = {}
    for image in images:
        try:
            key = hashlib.sha256(read_regular_file(image, PhotoLimits().max_bytes)).hexdigest()
        except BundleError:
            key = str(image)
        first.setdefault(key, image)
    return list(first.values())


def _named(images: list[Path]) -> dict[str, Path]:
    """Photos by their path relative to the folder that holds them all."""
    common = os.path.commonpath([image.parent.absolute() for image in images])
    return {os.path.relpath(image.absolute(), common): image for image in images}
