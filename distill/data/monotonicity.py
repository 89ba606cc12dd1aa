"""Does a score fall along a severity ladder?"""

from __future__ import annotations

import math

import numpy as np
from pocketiqa.parity import srcc


def falling(scores: np.ndarray) -> float:
    """Rank correlation of level, 0 and up, and falling score; 0 where the score never moves."""
    correlation = srcc(-np.arange(len(scores)), scores)
    return 0.0 if math.isnan(correlation) else correlation
