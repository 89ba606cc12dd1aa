"""Devices that lie, stall, flood and break off, and names that would run commands if anything let them."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec.structs import asdict
from pocketiqa.errors import PocketiqaError

from benchmarks.devices import base, open_device, processes
from benchmarks.devices.base import Device, DeviceError
from benchmarks.devices.local import LocalDevice
from benchmarks.engines.base import Plan
from benchmarks.engines.executor_runner import parse_log
from benchmarks.engines.sdk import SdkEngine
from tests.hostile.isolation import in_a_child
from tests.hostile.place import Place
from tests.hostile.tally import Tally

_SECONDS = 20.0
INJECTIONS = (
    "$(touch {mark})", "`touch {mark}`", "; touch {mark};", "| touch {mark}", "& touch {mark} &", "\ntouch {mark}\n",
    "' ; touch {mark} ; '", '" ; touch {mark} ; "', "${{IFS}}touch${{IFS}}{mark}", "-oProxyCommand=touch {mark}",
    "--; touch {mark}", "a b", "*", "~", "\\", "ünï \u202e", "\x1b[2J",
)  # fmt: skip
# What a worker on the device may say instead of the truth: lines of its standard output.
_LIES = (
    "", "{", '{"event"', '{"event": 3}', '{"event": "output"}', '{"event": "end"}', '{"event": ["output"]}',
    '{"event"}',
    '{"event": "output", "variant": "int8", "photo": "a", "quality": "good"}',
    '{"event": "output", "variant": "int8", "photo": "a", "quality": [null]}',
    '{"event": "output", "variant": "int8", "photo": "a", "quality": {}}',
    '{"event": "output", "variant": ["x"], "photo": {}, "quality": []}',
    '{"event": "cold"}', '{"event": "cold", "load_ms": "fast", "first_inference_ms": 1}',
    '{"event": "cold", "load_ms": 1, "first_inference_ms": NaN}', '{"event": "cold", "what": 1}',
    '{"event": "round"}', '{"event": "round", "at": "now", "ms": {}}', '{"event": "round", "at": 1, "ms": [1]}',
    '{"event": "round", "at": NaN, "ms": {"int8": 1}}', '{"event": "round", "at": 1, "ms": {"int8": -1}}',
    '{"event": "round", "at": 1, "ms": {"int8": 0}}', '{"event": "round", "at": 1, "ms": {"int8": 1e999}}',
    '{"event": "runtime"}', '{"event": "runtime", "name": {}}',
    '{"event": "ready", "runtime": "\\u001b[2J"}', '{"event": ' + "[" * 5000, "\x00\xff" * 500, "x" * 100_000,
)  # fmt: skip
_PROPERTIES = (
    "cores=²", "cores=" + "9" * 5000, "cores=-1", "temperature=a:b=nan", "temperature=x=1e999", "status=²", "load=inf",
    "status=" + "9" * 9999, "clock=cpu0=", "model=\x1b[2J", "=", "machine", "\0" * 99,
)  # fmt: skip
_FOLDERS = ("", "/", "relative", "/tmp/pocketiqa.x\n/etc", "/etc", "~", "-rf /", "$(reboot)", "\x1b[2J", "x" * 100_000)


class _Liar(LocalDevice):
    """A device whose every command writes ``script``'s output instead."""

    def __init__(self, script: str) -> None:
        super().__init__()
        self.script = script

    def client(self, argv: list[str]) -> list[str]:
        return [sys.executable, "-S", "-c", self.script]

    def stream(self, argv: list[str], step: str, silence: float = 1) -> Iterator[str]:
        return super().stream(argv, step, silence)


def try_devices(place: Place, tally: Tally) -> None:
    """Names through both transports' shells, lies at every step, and devices that do not end or do not stop."""
    _try_names(place, tally)
    for lie in _LIES:
        script = f"import sys; sys.stdout.buffer.write({lie.encode('utf-8', 'surrogateescape')!r}); print(flush=True)"
        for after in ("", '; print(\'{"event": "end"}\')'):
            for ask in (_outputs, _cold, _rounds):
                _expect_words(tally, "lies of the worker", lambda ask=ask, s=script + after: ask(_Liar(s)))
        _expect_words(tally, "lies of the native runner", lambda lie=lie: repr(parse_log('{"runner"' + lie[8:])))
    for line in _PROPERTIES:
        script = f"print({line!r})"
        for ask in (lambda d: str(d.properties()), lambda d: json.dumps(asdict(d.state("x")), allow_nan=False)):
            _expect_words(tally, "lies about properties", lambda ask=ask, s=script: ask(_Liar(s)))
    for folder in _FOLDERS:
        _expect_words(tally, "lies about its folder", lambda s=f"print({folder!r})": _enter(_Liar(s)), refused=True)
    flood = "import sys\nwhile True: sys.stdout.write('{line}' * 9999)"
    scripts = {
        "stalls": "import time; time.sleep(60)",
        "floods without a line's end": flood.format(line="x"),
        "floods with lines": flood.format(line="x\\n"),
        "floods with rounds": flood.format(line='{"event": "round", "at": 1, "ms": {"int8": 1}}\\n'),
        "ends at once": "",
        "breaks off": 'import os; os.write(1, b\'{"event": "rou\'); os.kill(os.getpid(), 9)',
    }
    for what, script in scripts.items():
        for ask in (_run, _outputs, _cold, _rounds, _enter):
            _expect_words(tally, f"a device that {what.split(' with')[0]}", lambda a=ask, s=script: a(_Liar(s)))


def _expect_words(tally: Tally, kind: str, ask: Callable[[], object], refused: bool = False) -> None:
    """A device's answer is taken or is a `DeviceError`; never another exception, a hang or much memory."""

    def attempt() -> str:
        # The limits that users meet are minutes and hundreds of megabytes; the code is the same.
        base.CONNECT_SECONDS = processes.END_SECONDS = 1
        processes.STREAM_BYTES = processes.MOST_BYTES = 8 * 2**20
        processes.STREAM_LINES = 50_000
        try:
            ask()
        except DeviceError as error:
            return "refused" if str(error) else "no words"
        return "harmless"

    ending = in_a_child(attempt, _SECONDS, memory_mib=1024)
    tally.cost(ending.grown_mib, ending.seconds)
    if ending.kind == "returned" and ending.value in (("refused",) if refused else ("refused", "harmless")):
        tally.add("devices", kind, str(ending.value))
    else:
        tally.fail("devices", kind, f"{ending.kind}: {str(ending.value)[-300:]}")


def _engine(device: Device) -> SdkEngine:
    engine = SdkEngine(python="python3")
    device.workspace = Path("/tmp/pocketiqa.none")
    engine.device, engine.worker, engine.shape = device, "worker.pyz", [1]
    engine.programs, engine.inputs = {"int8": "int8.pte"}, {"a": "a.bin"}
    return engine


def _run(device: Device) -> None:
    device.run(["true"], "asking", seconds=1)


def _outputs(device: Device) -> None:
    _engine(device).outputs(["int8"], 1)


def _cold(device: Device) -> None:
    _engine(device).cold_start("int8", 1)


def _rounds(device: Device) -> None:
    for _ in _engine(device).rounds(["int8"], 1, Plan(warmups=1, runs=1, seconds=1, max_seconds=1)):
        pass


def _enter(device: Device) -> None:
    device.__enter__()
    device.workspace = None


def _try_names(place: Place, tally: Tally) -> None:
    """Names that hold commands, as arguments, files, serials, users and hosts, through stand-ins of ssh and adb that
    do with the last argument what a remote shell does."""
    folder = place.fresh("devices")
    programs = folder / "bin"
    programs.mkdir()
    for name in ("ssh", "adb"):
        (programs / name).write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
        (programs / name).chmod(0o755)
    mark, source = folder / "mark", folder / "source.bin"
    source.write_bytes(b"content")
    for injection in INJECTIONS:
        words = injection.format(mark=mark)
        urls = [f"ssh://{words}@host", f"ssh://{words}", f"ssh://user@{words}:22", f"adb://{words}", words]
        uses: list[tuple[str, Callable[[], object]]] = [
            ("an argument", lambda u=url, w=words: _echo(open_device(u), w))
            for url in ("ssh://board", "adb://serial", "local")
        ]
        uses += [("a file name", lambda w=words: _push(open_device("ssh://board"), source, w.replace("/", "_")))]
        uses += [("host, user or serial", lambda u=url: open_device(u).run(["true"], "asking")) for url in urls]
        for kind, use in uses:

            def attempt(use: Callable[[], object] = use) -> str:
                os.environ["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"
                os.environ["TMPDIR"] = tempfile.gettempdir()
                try:
                    use()
                except (DeviceError, ValueError, PocketiqaError) as error:
                    return "refused" if str(error) else "no words"
                return "harmless"

            ending = in_a_child(attempt, _SECONDS)
            if mark.exists():
                mark.unlink()
                tally.fail("devices", f"a command as {kind}", f"{words!r} was run")
            elif ending.kind != "returned" or ending.value == "no words":
                tally.fail("devices", f"a command as {kind}", f"{words!r}: {ending.kind} {str(ending.value)[-300:]}")
            else:
                tally.add("devices", f"a command as {kind}", str(ending.value))


def _echo(device: Device, words: str) -> None:
    said = device.run(["printf", "%s", words], "echoing")
    if said != words:
        raise RuntimeError(f"{words!r} arrived as {said!r}")


def _push(device: Device, source: Path, name: str) -> None:
    with device:
        device.pull(device.push(source, name), source.with_name("back"))
    if source.with_name("back").read_bytes() != source.read_bytes():
        raise RuntimeError(f"{name!r} changed its content")
