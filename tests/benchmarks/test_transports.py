"""Quoting, time limits and advice of the transports; ssh and adb are stood in for where none is needed."""

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.devices import open_device
from benchmarks.devices.adb import AdbDevice
from benchmarks.devices.base import DeviceError
from benchmarks.devices.local import LocalDevice
from benchmarks.devices.ssh import SshDevice, split_url
from benchmarks.devices.state import read_properties

NASTY = ["a b", "it's", '"$HOME"', "$(reboot)", "`id`", "semi;colon", "new\nline", "-n", "ünï", "*", ""]


@pytest.fixture
def shell_as(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a program on the path that does what a remote shell does with the last argument."""

    def make(name: str) -> None:
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    return make


@pytest.mark.parametrize(("program", "url"), [("ssh", "ssh://root@board:22"), ("adb", "adb://R5CT;rm -f")])
def test_arguments_arrive_on_the_device_as_they_are(shell_as, program: str, url: str) -> None:
    shell_as(program)
    device = SshDevice(url) if program == "ssh" else AdbDevice(url.replace(" ", "_"))
    count = 'import sys; sys.stdout.write("|".join(sys.argv[1:]))'
    assert device.run([sys.executable, "-c", count, *NASTY], "echoing") == "|".join(NASTY)


def test_a_serial_is_one_argument_whatever_it_holds() -> None:
    command = AdbDevice("adb://R5CT;reboot").client(["true"])
    assert command == ["adb", "-s", "R5CT;reboot", "shell", "true"]


def test_ssh_checks_host_keys_and_never_asks() -> None:
    command = " ".join(SshDevice("ssh://pi@board:2222").client(["true"]))
    assert "StrictHostKeyChecking=yes" in command
    assert "BatchMode=yes" in command
    assert "-p 2222 -- pi@board true" in command


@pytest.mark.parametrize(
    "url",
    ["ssh://", "ssh://-oProxyCommand=x", "ssh://a:b@c", "ssh://host/path", "ssh://host:port", "adb://", "adb://-H",
     "adb://a b", "usb://1", "localhost"],
)  # fmt: skip
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"ssh://user@host:port|adb://SERIAL|dash"):
        open_device(url)


def test_an_address_of_the_sixth_version_is_a_host() -> None:
    assert split_url("ssh://[::1]:22") == ("::1", 22)


@pytest.mark.parametrize(
    ("device", "output", "code", "words"),
    [
        (
            AdbDevice("adb://X"),
            "error: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS",
            1,
            "accept",
        ),
        (
            AdbDevice("adb://X"),
            "* daemon started successfully\nerror: device 'X' not found",
            1,
            "adb devices -l",
        ),
        (AdbDevice("adb://X"), "error: device offline", 1, "reconnect"),
        (AdbDevice("adb://X"), "adb: more than one device/emulator", 1, "name one"),
        (AdbDevice("adb://X"), "sh: cat: write error: No space left on device", 1, "free space"),
        (
            AdbDevice("adb://X"),
            "/data/local/tmp/runner: not executable: 64-bit ELF, Exec format error",
            126,
            "processor",
        ),
        (SshDevice("ssh://b"), "Host key verification failed.", 255, "accept it"),
        (SshDevice("ssh://b"), "pi@b: Permission denied (publickey).", 255, "ssh-copy-id"),
        (SshDevice("ssh://b"), "ssh: connect to host b port 22: Connection refused", 255, "sshd"),
        (SshDevice("ssh://b"), "ModuleNotFoundError: No module named 'numpy'", 1, "pip install"),
        (
            SshDevice("ssh://b"),
            "cannot load the program: it is damaged, or made for a newer runtime",
            1,
            "too old",
        ),
    ],
)
def test_a_failure_says_what_to_try(device, output: str, code: int, words: str) -> None:
    message = str(device.failure("pushing int8.pte", output, code))
    assert message.startswith(f"{device.url}: pushing int8.pte failed")
    assert words in message.split("try:")[1]


def test_a_step_that_hangs_ends_at_its_limit() -> None:
    with pytest.raises(DeviceError, match="waiting failed: no end after 1 s"):
        LocalDevice().run(["sleep", "30"], "waiting", seconds=1)
    with pytest.raises(DeviceError, match="silent"):
        list(LocalDevice().stream(["sleep", "30"], "waiting", silence=0.2))


def test_a_missing_client_is_named(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(DeviceError, match="adb is not installed here"):
        AdbDevice("adb://X").run(["true"], "asking")


def test_leaving_a_device_leaves_nothing_on_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    source = tmp_path / "x.bin"
    source.write_bytes(bytes(range(256)) * 100)
    with LocalDevice() as device:
        remote = device.push(source, "odd 'name'.bin")
        device.pull(remote, tmp_path / "back.bin")
        assert (tmp_path / "back.bin").read_bytes() == source.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.bin", "x.bin"]


def test_files_travel_through_ssh_as_they_are(shell_as, tmp_path: Path, monkeypatch) -> None:
    shell_as("ssh")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    source = tmp_path / "x.bin"
    source.write_bytes(bytes(range(256)) * 100)
    with SshDevice("ssh://board") as device:
        device.pull(device.push(source, "it's $x.bin"), tmp_path / "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == source.read_bytes()


def test_the_properties_of_this_machine_are_read() -> None:
    properties = LocalDevice().properties()
    assert properties.machine == os.uname().machine
    assert properties.cores >= 1
    assert LocalDevice().state("before").load is not None


def test_what_a_device_says_of_itself_cannot_move_the_cursor() -> None:
    properties = read_properties("adb://X", "model=Phone \x1b[2J\nsoc=\x07chip\nfeatures=fp asimddp x i8mm\n")
    assert (properties.model, properties.soc) == ("Phone ?[2J", "?chip")
    assert properties.int8 == ["asimddp", "i8mm"]


def test_an_android_phone_tells_model_soc_release_and_thermal_status(tmp_path: Path, monkeypatch) -> None:
    # The commands' output as Android's documentation shows it; no phone was asked.
    stand_ins = {
        "getprop": "case $1 in *manufacturer) echo Maker;; *model) echo M 1;; *release) echo 15;; *sdk) echo 35;; esac",
        "dumpsys": 'echo "IsStatusOverride: false"; echo "Thermal Status: 2"; echo "Cached temperatures:"',
    }
    for name, script in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    properties = LocalDevice().properties()
    assert (properties.model, properties.soc) == ("Maker M 1", "Maker M 1")
    assert properties.system == "Android 15, API 35"
    assert LocalDevice().state("before").thermal_status == 2


def test_a_device_on_the_network_is_connected_and_waited_for(tmp_path: Path, monkeypatch) -> None:
    # adb as it is with a device that is slow to come up: two refusals, a stale connection, then there.
    program = tmp_path / "adb"
    program.write_text(
        f"""#!/bin/sh
        echo "$@" >> {tmp_path}/asked
        case "$1" in
          connect) [ $(grep -c connect {tmp_path}/asked) -ge 3 ] || echo "failed to connect to board:5555";;
          -s) case "$3" in
            get-state) case $(grep -c get-state {tmp_path}/asked) in
                1|2) echo "error: device 'board:5555' not found" >&2; exit 1;;
                3) echo "error: device offline" >&2; exit 1;;
                *) echo device;;
              esac;;
            shell) echo {tmp_path}/pocketiqa.abc;;
          esac;;
        esac
        """
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with AdbDevice("adb://board:5555") as device:
        assert str(device.workspace) == f"{tmp_path}/pocketiqa.abc"
    asked = (tmp_path / "asked").read_text()
    assert asked.count("get-state") == 4
    assert asked.count("disconnect board:5555") == 1


def test_a_device_that_never_answers_is_given_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("benchmarks.devices.adb.CONNECT_SECONDS", 1)
    program = tmp_path / "adb"
    program.write_text('#!/bin/sh\n[ "$1" = connect ] && echo "failed to connect to board:5555" && exit\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(DeviceError, match="connecting failed: failed to connect") as caught, AdbDevice("adb://board:5"):
        pass
    assert "adb over TCP" in caught.value.advice
