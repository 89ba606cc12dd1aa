"""The bundle's README: what the student is, what it was trained on, what it scores, what it cannot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from mobile_export.verify.ladder import Rung, verdict

_CARD = """\
# pocketiqa {{ name }} {{ version }}

Scores a photo's quality from 0 (bad) to 1 (excellent) and names what is wrong with it: sharpness, noise, exposure,
contrast, colour, compression (1 is good; noise 1 means noise-free), with a map of local quality.

- **Network**: {{ training.get("trunk", "not recorded") }}, read at every depth; float linear
  heads, the score's bent by hinges.
- **Input**: two views of a photo, as `manifest.json` describes them under `input`; normalization is inside.
- **Trained on**: {{ data.get("photos", "?") }} photos of {{ data.get("mos_set", "?") }} (sha256 of names and scores
  `{{ data.get("sha256", "?")[:16] }}…`) and {{ data.get("rungs", "?") }} degraded copies of
  {{ data.get("pristine_photos", "?") }} pristine photos, with `{{ training.get("command", "?") }}`,
  seed {{ training.get("seed", "?") }}.
{% if distillation -%}
- **Distilled** from the {{ distillation.teacher.model }} teacher: {{ distillation.told }} of each photo's target is its score, the rest people's;
  SRCC to the teacher on the held-out photos {{ validation.srcc_to_teacher }}.
{% endif -%}
{% if validation -%}
- **Validation** ({{ validation.n }} held-out photos): SRCC {{ validation.srcc }}, PLCC {{ validation.plcc }}; within
  sources {% for source, value in validation.srcc_within_source.items() %}{{ source }} {{ value }}{{ ", " if not loop.last }}{% endfor %}.
{% endif -%}
{% if quantization -%}
- **Quantized** by {{ quantization.shipped }} on {{ quantization.calibration.n }} photos, with `{{ quantization.command }}`.
{% endif %}
## Parity, measured when this bundle was built

| reference | candidate | on | n | max \\|Δ\\| | mean \\|Δ\\| | SRCC | bound | verdict |
| --- | --- | --- | ---: | ---: | ---: | ---: | --- | --- |
{% for rung in rungs -%}
| {{ rung.reference }} | {{ rung.candidate }} | {{ rung.inputs }} | {{ rung.n }} | {{ "%.1e"|format(rung.max_abs) }} | {{ "%.1e"|format(rung.mean_abs) }} | {{ "%.4f"|format(rung.srcc) if rung.srcc is not none }} | {{ rung.bound|replace("|", "\\\\|") }} | {{ verdict(rung) }} |
{% endfor %}
Core ML packages are executed by a reference interpreter in float16; no Apple device took part.
{% for note in notes %}
- {{ note }}
{%- endfor %}

## Limits

Scores are opinions of raters on web photographs, as a network learnt them: they rank photos for triage, and judge
nobody's work. The attributes were learnt from synthetic degradations; on photos with several faults at once they are
hints. Training data: BIQ2021, "freely available for use and benchmarking", without a licence file.

Licence of the weights and of this bundle: Apache-2.0.
"""


def training_record(weights: Path) -> dict[str, Any]:
    """The JSON record beside a safetensors file; empty where there is none."""
    record = weights.with_suffix(".json")
    return json.loads(record.read_text()) if record.is_file() else {}


def model_card(
    name: str,
    version: str,
    training: dict[str, Any],
    quantization: dict[str, Any],
    rungs: Sequence[Rung],
    notes: Sequence[str],
) -> str:
    """The model card as Markdown."""
    template = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True).from_string(_CARD)
    return template.render(
        name=name,
        version=version,
        training=training,
        data=training.get("data", {}),
        distillation=training.get("distillation"),
        validation=training.get("validation"),
        quantization=quantization,
        rungs=rungs,
        verdict=verdict,
        notes=notes,
    )
