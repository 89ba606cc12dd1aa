"""Star ratings in XMP files beside the photos, which photo managers read. The photos themselves stay as they are.

============== ==================== ====================================================================
``STYLES``     file of IMG_1.jpg    is read by
============== ==================== ====================================================================
``digikam``    IMG_1.jpg.xmp        digiKam, darktable, immich (which takes it before the other)
``lightroom``  IMG_1.xmp            immich, Adobe's programs; Lightroom Classic reads it for a raw file of
                                    that name (a pair IMG_1.cr3 and IMG_1.jpg), and for no other format
============== ==================== ====================================================================

digiKam reads such files when "Read from sidecar files" is on in its settings.
"""

from __future__ import annotations

from pathlib import Path

from pocketiqa.new_files import write_new

STYLES = ("digikam", "lightroom")

_XMP = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="pocketiqa">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="{stars}"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


def sidecar_of(photo: str, style: str) -> Path:
    """Where the sidecar of a photo lies; ``style`` is one of ``STYLES``."""
    return Path(f"{photo}.xmp") if style == "digikam" else Path(photo).with_suffix(".xmp")


def write_sidecar(path: Path, stars: int) -> bool:
    """Write a rating of 1 to 5 stars, unless a file of that name exists; returns whether it was written.

    Raises:
        OSError: the folder cannot be written.
    """
    try:
        write_new(path, _XMP.format(stars=stars))
    except FileExistsError:
        return False
    return True
