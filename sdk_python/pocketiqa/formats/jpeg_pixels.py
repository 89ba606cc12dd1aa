"""The pixels of a JPEG that has no damage, and the knowledge that it has none, from one decoding.

simplejpeg is a second interface to libjpeg-turbo. Its pixels are Pillow's to the bit, at each scale, and unlike Pillow
it hands libjpeg's warnings out.
"""

from __future__ import annotations

from PIL import Image

from pocketiqa.formats import jpeg_damage
from pocketiqa.formats.jpeg_segments import Segments

# By components: libjpeg's name and Pillow's for the bytes, and the mode. Pillow keeps four bytes a colour, as in RGBX.
_LAYOUTS = {1: ("GRAY", "L", "L"), 3: ("RGBX", "RGBX", "RGB")}


def decoded(jpeg: Segments, scale: int) -> Image.Image | None:
    """The picture, RGB or L, its sides divided by ``scale`` and rounded up, without ``info``.

    None where libjpeg has anything to say about the file, or a pass is missing, or the picture is in four inks: then
    ``jpeg_damage.judged`` must look, and Pillow decode.

    Args:
        jpeg: the file.
        scale: 1, 2, 4 or 8.
    """
    import simplejpeg  # here: a device that only runs programs on tensors needs none

    frame = jpeg.frame
    if len(frame.components) not in _LAYOUTS or not jpeg_damage.is_complete(jpeg):
        return None
    colours, layout, mode = _LAYOUTS[len(frame.components)]
    try:
        pixels = simplejpeg.decode_jpeg(
            jpeg.encoded,
            colorspace=colours,
            min_height=-(-frame.height // scale),
            min_width=-(-frame.width // scale),
            strict=True,
        )
    except ValueError:
        return None
    return Image.frombytes(mode, pixels.shape[1::-1], pixels, "raw", layout)
