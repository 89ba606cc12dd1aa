"""Photo quality on the phone: score photos with a pocketiqa bundle, and prove that it scores as it should.

    from pocketiqa import Scorer
    print(Scorer()("photo.jpg").score)

Importing this package loads neither torch nor an ExecuTorch runtime; a ``Scorer`` does.
"""

from pocketiqa.bundle import Bundle, Manifest
from pocketiqa.errors import BundleError, PhotoError, PocketiqaError, RuntimeUnavailable
from pocketiqa.gate import Gate
from pocketiqa.packing import pack, unpack
from pocketiqa.parity import ParityReport, compare
from pocketiqa.preprocess import PhotoLimits, PreprocessSpec, open_photo, preprocess, to_rgb
from pocketiqa.promises import Promise
from pocketiqa.scorer import Result, Scorer

__version__ = "0.1.0"

__all__ = [
    "Bundle",
    "BundleError",
    "Gate",
    "Manifest",
    "ParityReport",
    "PhotoError",
    "PhotoLimits",
    "PocketiqaError",
    "PreprocessSpec",
    "Promise",
    "Result",
    "RuntimeUnavailable",
    "Scorer",
    "compare",
    "open_photo",
    "pack",
    "preprocess",
    "to_rgb",
    "unpack",
]
