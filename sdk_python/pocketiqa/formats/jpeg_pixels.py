"""The pixels of a JPEG that has no damage, and the knowledge that it has none, from one decoding.

simplejpeg is a second interface to libjpeg-turbo. Its pixels are Pillow's to the bit, at each scale, and unlike Pillow
it hands libjpeg's warnings out.
"""

from __future__ import annotations

import numpy as np

from pocketiqa.formats import jpeg_damage
from pocketiqa.formats.jpeg_segments import Segments

_COLOURS = {1: "GRAY", 3: "RGB"}


def decoded(jpeg: Segments, scale: int) -> np.ndarray | None:
    """uint8 of shape H×W×3 in RGB order, or H×W of a grey JPEG, its sides divided by ``scale`` and rounded up.

    None where libjpeg has anything to say about the file, or a pass is missing, or the picture is in four inks: then
    ``jpeg_damage.judged`` must look, and Pillow decode.

    Args:
        jpeg: the file.
        scale: 1, 2, 4 or 8.
    """
    import simplejpeg  # here: a device that only runs programs on tensors needs none

    frame = jpeg.frame
    if len(frame.components) not in _COLOURS or not jpeg_damage.is_complete(jpeg):
        return None
    try:
        pixels = simplejpeg.decode_jpeg(
            jpeg.encoded,
            colorspace=_COLOURS[len(frame.components)],
            min_height=-(-frame.height // scale),
            min_width=-(-frame.width // scale),
            strict=True,
        )
    except ValueError:
        return None
    return pixels[..., 0] if len(frame.components) == 1 else pixels
