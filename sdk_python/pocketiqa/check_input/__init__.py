"""Is a tensor, as an app made it, the one that the manifest describes? If not: which mistake does it look like?

    check = check_input(Bundle.open(), read_tensor(Path("from_phone.npy"), spec), photo=None)
    print(check)

The tensor is compared with what ``pocketiqa.preprocess`` makes of the bundle's photos. First its arrangement is
found: the order of axes, channels and views (``arrangement``), and the line ``a·x + b`` that its values lie on
(``value_range``). What is left after undoing those is compared with other ways to resize, and with a shift
(``resizing``).
"""

from pocketiqa.check_input.comparison import INPUTS, InputCheck, check_input
from pocketiqa.check_input.tensor_file import read_tensor

__all__ = ["INPUTS", "InputCheck", "check_input", "read_tensor"]
