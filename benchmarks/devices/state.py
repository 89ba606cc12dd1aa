"""What a device is, and how hot, fast and busy it is: two shell scripts, and what is read from their output.

The scripts need only a shell and coreutils (or toybox): a small board has no grep, and Android no GNU sed.
"""

from __future__ import annotations

import math
import re

from pocketiqa.errors import one_line

from benchmarks.record import DeviceProperties, DeviceState

# Instruction sets that multiply int8 at more than float's rate: x86 with VNNI, Arm with dot product or i8mm.
_INT8 = ("avx_vnni", "avx512_vnni", "asimddp", "i8mm")

PROPERTIES = r"""
echo "machine=$(uname -m)"; echo "system=$(uname -sr)"; echo "cores=$(nproc 2>/dev/null)"
for f in /sys/firmware/devicetree/base/model /proc/device-tree/model /sys/class/dmi/id/product_name; do
  [ -r $f ] && echo "model=$(tr -d '\000' < $f)" && break
done
while read -r line; do
  case "$line" in
    "model name"*|Hardware*) echo "soc=${line#*: }";;
    flags*|Features*) echo "features=${line#*: }";;
    "") break;;
  esac
done < /proc/cpuinfo
if command -v getprop >/dev/null 2>&1; then
  echo "model=$(getprop ro.product.manufacturer) $(getprop ro.product.model)"
  echo "soc=$(getprop ro.soc.manufacturer) $(getprop ro.soc.model)"
  echo "system=Android $(getprop ro.build.version.release), API $(getprop ro.build.version.sdk)"
fi
exit 0
"""
STATE = r"""
for z in /sys/class/thermal/thermal_zone*; do
  [ -r "$z/temp" ] && echo "temperature=$(cat "$z/type" 2>/dev/null):${z##*zone}=$(cat "$z/temp" 2>/dev/null)"
done
for c in /sys/devices/system/cpu/cpu[0-9]*; do
  [ -r "$c/cpufreq/scaling_cur_freq" ] && echo "clock=${c##*/}=$(cat "$c/cpufreq/scaling_cur_freq")"
done
[ -r /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor ] &&
  echo "governor=$(cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor)"
[ -r /proc/loadavg ] && read -r load rest < /proc/loadavg && echo "load=$load"
if command -v dumpsys >/dev/null 2>&1; then
  dumpsys thermalservice 2>/dev/null | while read -r line; do
    case "$line" in "Thermal Status:"*) echo "status=${line#*: }"; break;; esac
  done
fi
exit 0
"""


def read_properties(url: str, output: str) -> DeviceProperties:
    """Machine, system, model and SoC from the output of ``PROPERTIES``."""
    # A device may say anything, and this is shown on a terminal.
    found = {key: one_line(value) for key, value in _pairs(output) if value.strip()}
    cores, features = found.get("cores", ""), found.get("features", "").split()
    return DeviceProperties(
        url=url,
        machine=found.get("machine", "unknown"),
        system=found.get("system", "unknown"),
        model=found.get("model"),
        soc=found.get("soc"),
        cores=int(cores) if re.fullmatch("[0-9]{1,6}", cores) else None,
        int8=[name for name in _INT8 if name in features],
    )


def read_state(when: str, output: str) -> DeviceState:
    """Temperatures, clocks, governor, load and thermal status from the output of ``STATE``."""
    state = DeviceState(when)
    for key, value in _pairs(output):
        name, _, number = value.rpartition("=")
        if key == "temperature" and (degrees := _number(number)) is not None:
            # Zones report thousandths of a degree, a few old ones whole degrees.
            state.temperatures[name] = degrees / 1000 if abs(degrees) > 200 else degrees
        elif key == "clock" and (clock := _number(number)) is not None:
            state.clocks[name] = clock / 1000
        elif key == "governor":
            state.governor = value
        elif key == "load":
            state.load = _number(value)
        elif key == "status" and re.fullmatch(r"\s*[0-9]{1,6}\s*", value):
            state.thermal_status = int(value)
    return state


def _pairs(text: str) -> list[tuple[str, str]]:
    lines = (line.rstrip("\r").partition("=") for line in text.splitlines())
    return [(key, value) for key, separator, value in lines if separator]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
