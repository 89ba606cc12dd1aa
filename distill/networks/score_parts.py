"""What each view, each depth and each hidden unit of a student added to the logit of a photo's score.

The logit is linear in the pooled features, plus and minus hidden units that are linear too wherever they are not zero.
So for one photo the score's row and the active hidden units' rows add up to one linear function, and its terms, summed
over a view's and a stage's channels, are that view's and that depth's part. Nothing is approximated. It is the float
network that is explained: an exported program gives no features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from distill.networks.student import FIRST_MAPPED_STAGE, OUTPUTS, STAGE_CHANNELS, WIDTH, Student


@dataclass(frozen=True)
class ScoreParts:
    """One photo's score, in parts.

    Attributes:
        logit: of the score.
        constant: what every photo gets: the biases of the rows that are active.
        views: their names.
        parts: float64 views × stages, from the first depth to the last; with ``constant`` they add up to ``logit``.
        linear: the score's own row; with ``hidden`` it adds up to ``logit`` too.
        hidden: float64 16, what each hidden unit added (the first half) or took (the second); 0 where it did not fire.
    """

    logit: float
    constant: float
    views: tuple[str, ...]
    parts: torch.Tensor
    linear: float
    hidden: torch.Tensor

    def to_dict(self) -> dict[str, object]:
        """JSON-ready, to three decimals: parts by view and stage (``1`` is the first), and the units that fired."""
        return {
            "score": round(torch.sigmoid(torch.tensor(self.logit)).item(), 3),
            "logit": round(self.logit, 3),
            "constant": round(self.constant, 3),
            "views": {
                view: {str(stage): round(part, 3) for stage, part in enumerate(parts, start=1)}
                for view, parts in zip(self.views, self.parts.tolist())
            },
            "linear": round(self.linear, 3),
            "hidden": {str(unit): round(value, 3) for unit, value in enumerate(self.hidden.tolist()) if value},
        }


@torch.no_grad()
def score_parts(student: Student, views: torch.Tensor) -> ScoreParts:
    """The parts of the score of one photo, float32 V×3×H×W in [0, 1] as the student takes it."""
    features = student.features(views).double()
    weight, bias = (tensor.double() for tensor in student.heads.linear())
    rows = weight @ features.flatten() + bias
    units = rows[len(OUTPUTS) :]
    signs = torch.ones_like(units)
    signs[len(units) // 2 :] = -1
    active = signs * (units > 0)
    weights = weight[0] + active @ weight[len(OUTPUTS) :]
    terms = weights.reshape(len(views), WIDTH) * features
    # The features' order: the stages that have a position, then the early ones.
    order = [*range(FIRST_MAPPED_STAGE, len(STAGE_CHANNELS)), *range(FIRST_MAPPED_STAGE)]
    by_stage = dict(zip(order, terms.split([STAGE_CHANNELS[stage] for stage in order], dim=1)))
    hidden = signs * units.relu()
    return ScoreParts(
        logit=float(rows[0] + hidden.sum()),
        constant=float(bias[0] + active @ bias[len(OUTPUTS) :]),
        views=student.input.views,
        parts=torch.stack([by_stage[stage].sum(dim=1) for stage in range(len(STAGE_CHANNELS))], dim=1),
        linear=float(rows[0]),
        hidden=hidden,
    )
