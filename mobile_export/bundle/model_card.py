"""The bundle's README: what the network is, what it was trained on, what it scores, what it cannot.

What no record beside the weights says, the card does not claim. Its first lines, and ``config.json``, are what a hub
such as Hugging Face reads.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from pocketiqa.gate import Gate
from pocketiqa.manifest import Manifest
from pocketiqa.promises import Promise

from distill.contract import QualityNetwork
from mobile_export.verify.ladder import ParityCheck
from mobile_export.verify.tables import table


def model_card(
    network: QualityNetwork,
    version: str,
    training: dict[str, Any],
    quantization: dict[str, Any],
    checks: Sequence[ParityCheck],
    notes: Sequence[str],
    runtimes: Sequence[str] = (),
    gate: Gate | None = None,
) -> str:
    """The model card as Markdown.

    Args:
        network: names its outputs and its input.
        version: of the bundle.
        training, quantization: the records beside the float weights and the int8 state; empty where there is none.
        checks: of the parity ladder.
        notes: what was not built or not verified.
        runtimes: the folders of the bundle's programs.
        gate: the default gate.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=False, keep_trailing_newline=True
    )
    distillation = training.get("distillation") or {}
    return environment.get_template("model_card.md.jinja").render(
        network=network,
        version=version,
        training=training,
        data=training.get("data"),
        distillation=distillation,
        pseudo_labels=distillation.get("told"),
        validation=training.get("validation"),
        quantization=quantization,
        promise=Promise.from_dict(quantization["promise"]) if "promise" in quantization else "not recorded",
        table=table(checks, "github"),
        notes=notes,
        runtimes=runtimes,
        gate=str(gate).splitlines() if gate else [],
    )


def hub_config(manifest: Manifest) -> str:
    """``config.json``: what the network is, takes and gives, and where its programs lie."""
    values = {
        "model_type": "pocketiqa",
        "name": manifest.name,
        "version": manifest.version,
        "input": manifest.input.to_dict(),
        "outputs": manifest.outputs,
        "programs": {name: variant.path for name, variant in manifest.variants.items()},
    }
    return json.dumps(values, indent=2, allow_nan=False) + "\n"
