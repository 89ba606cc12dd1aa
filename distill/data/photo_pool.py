"""Photos as squares of pixels on the device that trains.

A GPU takes hundreds of photos a second, more than processors decode and degrade. So every copy is made before the
first step (``fill_pool``), kept as uint8, and each step cuts another square out of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class PhotoPool:
    """Copies of photos, all squares of one side.

    Attributes:
        pixels: uint8 n×3×S×S, on the device that trains.
        levels: of degradation, n of them; 0 is the photo itself.
        names: of the files, in the same order.
    """

    pixels: torch.Tensor
    levels: list[int]
    names: list[str]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def side(self) -> int:
        """Of the squares, in pixels."""
        return self.pixels.shape[-1]

    @property
    def undistorted(self) -> list[int]:
        """The rows of the photos themselves."""
        return [row for row, level in enumerate(self.levels) if level == 0]

    def crops(self, rows: torch.Tensor, side: int, places: torch.Tensor, mirrored: torch.Tensor) -> torch.Tensor:
        """Squares of ``side`` pixels.

        Args:
            rows: int64 B, on the pool's device, as are the others.
            side: at most the pool's.
            places: float32 B×2 in [0, 1): how far down and to the right of all possible places.
            mirrored: bool B.

        Returns:
            float32 B×3×side×side in [0, 1].
        """
        along = torch.arange(side, device=self.pixels.device)
        start = (places * (self.side - side + 1)).long()
        down, right = start[:, :1] + along, start[:, 1:] + along
        right = torch.where(mirrored[:, None], right.flip(1), right)
        colours = torch.arange(3, device=self.pixels.device)[None, :, None, None]
        cut = self.pixels[rows[:, None, None, None], colours, down[:, None, :, None], right[:, None, None, :]]
        return cut.float() / 255
