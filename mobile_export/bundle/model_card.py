"""The bundle's README: what the network is, what it was trained on, what it scores, what it cannot.

What no record beside the weights says, the card does not claim.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
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
) -> str:
    """The model card as Markdown.

    Args:
        network: names its outputs and its input.
        version: of the bundle.
        training, quantization: the records beside the float weights and the int8 state; empty where there is none.
        checks: of the parity ladder.
        notes: what was not built or not verified.
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
    )
