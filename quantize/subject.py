"""What is quantized: a float network, the photos it is tuned and judged on, and its scores for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pocketiqa.files import sha256_of

from distill.contract import QualityNetwork
from distill.data.degraded_photos import DegradedPhoto
from distill.networks.registry import DEFAULT_NETWORK, load_network, weights_of
from quantize.calibration import (
    Inputs,
    PhotoSplit,
    clean,
    degraded_copies,
    degraded_half,
    digest,
    load_inputs,
    opinions_of,
    photos_below,
    split_photos,
    stratified,
    validated_by,
)
from quantize.delegation import check_backend, print_limits
from quantize.figures import Figures, measure
from quantize.program import Lowered
from quantize.recipe import TuningPhotos


@dataclass(frozen=True)
class PhotosConfig:
    """Which float network is quantized, and on which photos.

    Attributes:
        images: a folder of photos; half of those to tune on are degraded, and each to validate on has a degraded copy.
        mos: a CSV of file names and opinions, on any scale, higher for better; only photos in it are used, and the loss
            in SRCC to them is measured.
        network: a registered name, or FILE.py:FUNCTION whose function returns the network.
        weights: safetensors of the network's weights; by default what this repository ships for that name.
        calibration: photos, of those to tune on, that set ranges and round weights; spread over the float score.
        tuning: photos that heads and fine-tuning learn from; no opinions are used.
        validation: photos on which the figures are measured, each clean and degraded.
        seed: of the photos' order and of their degradations.
    """

    images: Path
    mos: Path | None = None
    network: str = DEFAULT_NETWORK
    weights: Path | None = None
    calibration: int = 64
    tuning: int = 1000
    validation: int = 600
    seed: int = 0


@dataclass(frozen=True)
class Subject:
    """A float network, its photos and its scores for them; ``copies`` are what ``validation`` holds."""

    network: QualityNetwork
    weights_sha256: str
    program: Lowered
    split: PhotoSplit
    photos: TuningPhotos
    copies: list[DegradedPhoto]
    validation: Inputs
    reference: np.ndarray
    mos: np.ndarray | None
    calibration_digest: str

    def judge(self, lowered: Lowered, title: str) -> Figures:
        """Figures of a quantized program over the validation photos."""
        return measure(self.reference, lowered.quality(self.validation, f"{title}: scores")[:, 0], self.mos)


def load_subject(config: PhotosConfig) -> Subject:
    """Read the network, say what the phone's backend does not take of it, read the photos, and score them.

    Raises:
        CalibrationError: too few photos or opinions, unreadable ones, or noise.
        MosSetError: a table of opinions that cannot be read right.
        ContractError: no such network, or one that the line cannot take.
        FileNotFoundError: no weights.
    """
    torch.manual_seed(config.seed)
    network = load_network(config.network, config.weights)
    photos = photos_below(config.images)
    opinions = None if config.mos is None else opinions_of(photos, config.mos)
    split = split_photos(photos if opinions is None else list(opinions), config.tuning, config.validation, config.seed)
    mos = None if opinions is None else validated_by([opinions[path] for path in split.validation])
    program, limits = check_backend(network)
    print_limits(limits)
    tuned_on = degraded_half(split.tuning, config.seed)
    tuning = load_inputs(tuned_on, network.input, "photos to tune on")
    copies = clean(split.validation) + degraded_copies(split.validation, config.seed + 1)
    validation = load_inputs(copies, network.input, "photos to validate")
    targets = program.quality(tuning, "float: scores to tune on")
    rows = stratified(targets[:, 0], config.calibration)
    return Subject(
        network=network,
        weights_sha256=sha256_of(weights_of(config.network, config.weights)),
        program=program,
        split=split,
        photos=TuningPhotos(tuning, targets, tuning.take(rows)),
        copies=copies,
        validation=validation,
        reference=program.quality(validation, "float: scores")[:, 0],
        mos=mos,
        calibration_digest=digest([tuned_on[position] for position in rows]),
    )
