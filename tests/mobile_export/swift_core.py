"""The Swift package, built in a Debian of its own, and an app around its core that answers questions."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mobile_export.integration.swift import PACKAGE
from tests.swift_root import found_root, in_root

APP = Path(__file__).parent / "swift"
# Apple's frameworks, as far as the Apple layer calls them: one imports another.
DECLARED = ("CoreGraphics", "ImageIO", "CoreVideo", "CoreML", "CoreAI")
# The language that new packages are written in; a warning would be an app's, too.
STRICT = ("-swift-version", "6", "-warnings-as-errors")
BUILT = "app/.build/release"
# What runs a network: an input tensor to its outputs.
Run = Callable[[np.ndarray], Sequence[np.ndarray]]


class SwiftCore:
    """Builds the package, as part of an app, with Swift's package manager, and starts the app.

    Attributes:
        folder: what the app and the tests share; the app's working folder.

    Raises:
        RootUnavailable: there is no Swift; the message says why.
    """

    def __init__(self, folder: Path) -> None:
        self._root = found_root()
        self.folder = folder
        shutil.copytree(PACKAGE, folder / "package", ignore=shutil.ignore_patterns(".build"))
        shutil.copytree(APP, folder / "app")
        strict = [word for option in ("-enable-testing", *STRICT) for word in ("-Xswiftc", option)]
        self._run("swift", "build", "--package-path", "app", "--disable-sandbox", "-c", "release", *strict)
        command = in_root(self._root, folder, [f"./{BUILT}/answers"])
        self._app = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, question: str, program: Run | None = None, **given: object) -> dict[str, Any]:
        """What the app answers; ``program`` gives the outputs wherever it asks for a network's."""
        self._say({"run": question, **given})
        while "asked" in (answer := json.loads(self._app.stdout.readline())):
            assert program is not None
            tensor = np.fromfile(self.folder / "tensor.f32", "<f4").reshape(answer["asked"])
            self._say([output.ravel().tolist() for output in program(tensor)])
        return answer

    def check_the_apple_layer(self) -> None:
        """Compile the Apple layer and the newcomers' example against declarations of Apple's frameworks."""
        modules = ["-I", f"{BUILT}/Modules", "-I", "."]
        for name in DECLARED:
            self._make_module(name, [f"app/declarations/{name}.swift"], modules)
        self._make_module("PocketIqa", self._files("package/Sources/PocketIqa"), ["-I", ".", *modules[:2]])
        examples = self._files("package/Examples")
        self._run("swiftc", "-typecheck", "-parse-as-library", *STRICT, "-I", ".", *modules[:2], *examples)

    def close(self) -> None:
        """Ends the app."""
        self._app.stdin.close()
        self._app.wait(60)

    def _say(self, what: object) -> None:
        self._app.stdin.write(json.dumps(what) + "\n")
        self._app.stdin.flush()

    def _make_module(self, name: str, files: list[str], modules: list[str]) -> None:
        make = ["-parse-as-library", "-emit-module", "-module-name", name, "-emit-module-path", f"{name}.swiftmodule"]
        self._run("swiftc", *make, *STRICT, *modules, *files)

    def _files(self, folder: str) -> list[str]:
        return sorted(f"{folder}/{path.name}" for path in (self.folder / folder).glob("*.swift"))

    def _run(self, *command: str) -> None:
        done = subprocess.run(in_root(self._root, self.folder, command), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr or done.stdout
