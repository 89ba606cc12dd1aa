"""``python -m quantize --images DIR [--mos CSV]``: a float network to int8, judged on photos that it never saw."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path

from pocketiqa.promises import ANY_NETWORK, Promise
from pocketiqa.promises import SHIPPED as SHIPPED_PROMISE

from distill.contract import ContractError, QualityNetwork
from quantize.control import Outcome, within_max_drop
from quantize.figures import Figures, table
from quantize.graph import with_all_below
from quantize.prepare import Prepared, convert
from quantize.program import lower
from quantize.qat import QatConfig
from quantize.recipe import Recipe, quantize
from quantize.state import SHIPPED, save_prepared
from quantize.subject import PhotosConfig, Subject, load_subject


@dataclass(frozen=True)
class QuantizeConfig(PhotosConfig):
    """What is quantized, how, and on which photos.

    Attributes:
        out: where the quantized network is written; by default runs/NETWORK/int8.safetensors.
        ship: write what this repository ships instead, in quantize/weights; a named network's alone.
        keep_float: dotted names of modules that stay float, with all that is below them, whatever control decides; by
            default the network's ``float_layers``. Heads stay float always.
        max_drop: ends with a verdict: how far the rank correlation with the float network may be from 1 and, with
            opinions, how far the one with them may fall. Layers are reverted to float until both hold.
        qat: fine-tuning after PTQ; the better of the two is kept. 0 steps leave it out.
    """

    out: Path | None = None
    ship: bool = False
    keep_float: tuple[str, ...] | None = None
    max_drop: float | None = None
    qat: QatConfig = field(default_factory=QatConfig)


def quantize_network(config: QuantizeConfig) -> tuple[str, bool]:
    """Quantize, write the best and its record; a Markdown report, and whether the promise holds, ``max_drop``
    included.

    Raises:
        CalibrationError: too few photos, unreadable ones, or noise.
        ContractError: no such network, or one that the line cannot take.
        FileNotFoundError: no weights.
        ValueError: ``--ship`` for a network that does not ship, or beside ``--out``.
    """
    out = _shipped_path(config) if config.ship else config.out
    subject = load_subject(config)
    kept = _float_modules(subject.network, config.keep_float)
    recipes = {"PTQ": Recipe(float_modules=kept)}
    if config.qat.steps:
        recipes["QAT"] = dataclasses.replace(recipes["PTQ"], fine_tuning=config.qat)
    candidates = {name: _candidate(subject, recipe, name) for name, recipe in recipes.items()}
    promise = promise_for(config.network, config.max_drop)
    best = min(candidates, key=lambda name: candidates[name][1].mean_abs)
    outcome: Outcome | None = None
    if config.max_drop is not None:
        outcome = within_max_drop(subject, candidates[best], recipes[best], config.max_drop, promise.mean_abs)
        if outcome.float_modules:
            kept = outcome.float_modules
            best = f"{best} + control"
            candidates[best] = outcome.prepared, outcome.figures
    prepared, figures = candidates[best]
    record = {
        "command": "python -m quantize " + shlex.join(Path(a).name if a.startswith("/") else a for a in sys.argv[1:]),
        "seed": config.seed,
        "network": subject.network.name,
        "weights_sha256": subject.weights_sha256,
        "recipe": best,
        "float_modules": sorted(kept),
        "promise": promise.to_dict(),
        "qat": dataclasses.asdict(config.qat),
        "calibration": {"n": len(subject.photos.calibration), "sha256": subject.calibration_digest},
        "tuning": len(subject.photos.inputs),
        "validation": {name: figures.to_dict() for name, (_, figures) in candidates.items()},
    }
    out = out or Path("runs") / subject.network.name / "int8.safetensors"
    save_prepared(prepared, out, record)
    broken = figures.broken(promise)
    lines = outcome.lines if outcome else []
    lines.append(f"the promise holds: {promise}" if not broken else _advice(broken, config))
    lines.append(f"wrote {out}")
    rows = {name: figures for name, (_, figures) in candidates.items()}
    return "\n".join([table(rows), "", *lines]), not broken and (outcome is None or outcome.holds)


def _advice(broken: list[str], config: QuantizeConfig) -> str:
    cures = ["more photos"]
    if not config.qat.steps:
        cures.append("--qat.steps")
    if config.max_drop is None:
        cures.append("--max-drop")
    cures.append("--keep-float")
    return f"the promise is broken: {'; '.join(broken)}; what may help: {', '.join(cures)}; export refuses it"


def promise_for(network: str, max_drop: float | None) -> Promise:
    """What the int8 form of ``network``, as ``--network`` names it, is held to.

    A network that this repository ships is held to what the product promises; another one to ``ANY_NETWORK``, with
    the rank correlation that ``max_drop`` asks for.
    """
    if network in SHIPPED:
        return SHIPPED_PROMISE
    if max_drop is None:
        return ANY_NETWORK
    return dataclasses.replace(ANY_NETWORK, srcc=min(max(1 - max_drop, 0.0), 1.0))


def _candidate(subject: Subject, recipe: Recipe, name: str) -> tuple[Prepared, Figures]:
    prepared = quantize(subject.network, subject.photos, recipe, name)
    return prepared, subject.judge(lower(convert(prepared)), name)


def _float_modules(network: QualityNetwork, keep_float: tuple[str, ...] | None) -> frozenset[str]:
    if keep_float is None:
        return with_all_below(network, network.float_layers)
    known = [name for name, _ in network.named_modules()]
    if unknown := sorted(set(keep_float) - set(known)):
        some = ", ".join(known[1:9])
        raise ContractError(f"{network.name} has no layer {unknown[0]!r} to keep float; it has {some} …")
    return with_all_below(network, keep_float)


def _shipped_path(config: QuantizeConfig) -> Path:
    if config.out is not None:
        raise ValueError("--ship writes to quantize/weights; leave --out away, or --ship")
    if config.network not in SHIPPED or config.weights is not None:
        raise ValueError(f"--ship is for {' and '.join(SHIPPED)} with the weights of this repository; give --out FILE")
    return SHIPPED[config.network]
