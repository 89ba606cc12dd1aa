"""Compression: JPEG and JPEG 2000, through Pillow's encoders on the CPU, image by image."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

# OpenJPEG refuses more wavelet levels than the shorter side has octaves.
MOST_RESOLUTIONS = 8


def jpeg(images: torch.Tensor, quality: float, seeds: Sequence[int]) -> torch.Tensor:
    """Baseline JPEG at Pillow's ``quality`` with its default 4:2:0 chroma."""
    return _through_encoder(images, format="JPEG", quality=int(quality))


def jpeg2000(images: torch.Tensor, ratio: float, seeds: Sequence[int]) -> torch.Tensor:
    """JPEG 2000 with the lossy 9-7 wavelet, compressed to 1/``ratio`` of the raw 24 bits a pixel.

    The slowest kind by far: the encoder codes every bit plane before it cuts to the rate.
    """
    resolutions = min(MOST_RESOLUTIONS, int(math.log2(min(images.shape[-2:]))))
    return _through_encoder(
        images,
        format="JPEG2000",
        quality_mode="rates",
        quality_layers=[ratio],
        num_resolutions=resolutions,
        irreversible=True,
    )


def _through_encoder(images: torch.Tensor, **options: object) -> torch.Tensor:
    pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    decoded = []
    for photo in pixels:
        buffer = io.BytesIO()
        Image.fromarray(photo).save(buffer, **options)
        with Image.open(buffer) as compressed:
            decoded.append(np.asarray(compressed.convert("RGB")))
    channels_first = np.ascontiguousarray(np.stack(decoded).transpose(0, 3, 1, 2))
    return torch.from_numpy(channels_first).to(images.device).float() / 255
