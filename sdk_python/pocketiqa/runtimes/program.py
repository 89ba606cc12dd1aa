"""The interface of a loaded program, whatever runs it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from pocketiqa.errors import BundleError, RuntimeUnavailable, one_line
from pocketiqa.threadpool import LOCK, PROGRAMS

# Under which a file that has room for named texts holds its metadata, as JSON.
METADATA_KEY = "pocketiqa"


class Program(ABC):
    """A loaded program. Safe to use from many threads: a process's programs run one at a time.

    Attributes:
        runtime_name: which runtime runs it, e.g. ``executorch 1.5.1``.
        threads: that it runs on, where the runtime takes them by program; None leaves the runtime's own choice.
        method_names: ``forward`` and, of a ``.pte``, the constant methods.
        inputs, outputs: of ``forward``, each ``{"shape": [...], "dtype": "float32"}``, in order.
    """

    runtime_name: str
    method_names: set[str]
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]

    def __init__(self, content: bytes, runtime_name: str, threads: int | None = None) -> None:
        self.runtime_name = runtime_name
        self.threads = threads
        self._content = content
        self._open()
        PROGRAMS.add(self)

    def unload(self) -> None:
        """Give up what the runtime holds; the next run loads it again."""
        self._program: Any = None

    def run(self, x: np.ndarray) -> tuple[np.ndarray, ...]:
        """Execute ``forward``.

        Args:
            x: array of the shape and dtype in ``inputs``. Any memory layout: it is made C-contiguous first,
                because a runtime reads channels-last memory as if it were not and says nothing.

        Returns:
            The outputs as fresh arrays.

        Raises:
            RuntimeUnavailable: wrong dtype or shape, or the runtime failed.
        """
        given = {"shape": list(x.shape), "dtype": str(x.dtype)}
        if self.inputs != [given]:
            wanted = " and ".join(f"{item['dtype']} {item['shape']}" for item in self.inputs) or "nothing"
            raise RuntimeUnavailable(f"the program takes {wanted}, not {given['dtype']} {given['shape']}")
        return self._guarded("forward", [np.require(x, requirements=["C", "W"])])

    def metadata(self) -> dict[str, Any]:
        """The JSON object that the exporter put into the program; empty when there is none.

        Raises:
            BundleError: there is one and it is no JSON object.
        """
        try:
            found = json.loads(self._metadata() or "{}")
        except (ValueError, RecursionError, AttributeError):
            raise BundleError("the program's metadata is no JSON; export it anew") from None
        if not isinstance(found, dict):
            raise BundleError("the program's metadata is no JSON object; export it anew")
        return found

    def _guarded(self, method: str, inputs: list[np.ndarray]) -> tuple[np.ndarray, ...]:
        with LOCK:
            try:
                if self._program is None:
                    self._open()
                return tuple(self._execute(method, inputs))
            except Exception as error:  # each runtime raises types of its own
                raise RuntimeUnavailable(f"{self.runtime_name} failed in {method!r}: {one_line(error)}") from error

    @abstractmethod
    def _metadata(self) -> str | bytes:
        """The JSON text that the exporter put into the program; empty when there is none."""

    @abstractmethod
    def _open(self) -> None:
        """Load ``_content`` into ``_program`` and read the signature."""

    @abstractmethod
    def _execute(self, method: str, inputs: list[np.ndarray]) -> list[np.ndarray]: ...
