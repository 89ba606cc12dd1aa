"""executor_runner's log format, as its source writes it: no phone ran these lines."""

import pytest

from benchmarks.devices.base import DeviceError
from benchmarks.devices.local import LocalDevice
from benchmarks.engines.executor_runner import find_runner, parse_log

POSIX_LOG = """\
I 00:00:00.000310 executorch:executor_runner.cpp:393] Resetting threadpool with num threads = 4
I 00:00:00.010021 executorch:executor_runner.cpp:520] Model file int8.pte is loaded.
I 00:00:00.022114 executorch:executor_runner.cpp:640] Model loaded in 12.093000 ms.
I 00:00:00.040201 executorch:executor_runner.cpp:790] Iteration 1 of 3: 17.250125 ms
I 00:00:00.052201 executorch:executor_runner.cpp:790] Iteration 2 of 3: 11.875000 ms
I 00:00:00.064201 executorch:executor_runner.cpp:790] Iteration 3 of 3: 12.000250 ms
I 00:00:00.064300 executorch:executor_runner.cpp:800] Model executed successfully 3 time(s) in 41.125375 ms.
"""
LOGCAT_RAW = """\
--------- beginning of main
Model file /data/local/tmp/pocketiqa.x/int8.pte is loaded.
Iteration 1 of 2: 9.500000 ms
Iteration 2 of 2: 8.250000 ms
"""


def test_iterations_and_load_time_are_read_from_the_posix_log() -> None:
    log = parse_log(POSIX_LOG)
    assert log.iterations_ms == [17.250125, 11.875, 12.00025]
    assert log.load_ms == 12.093


def test_a_logcat_without_prefixes_and_load_time_is_read_too() -> None:
    log = parse_log(LOGCAT_RAW)
    assert log.iterations_ms == [9.5, 8.25]
    assert log.load_ms is None


def test_an_aborted_run_has_no_iterations() -> None:
    assert parse_log("E 00:00:00.1 executorch:executor_runner.cpp:1] Failed to parse model file").iterations_ms == []


def test_our_own_runner_tells_more() -> None:
    line = '{"runner": "ours, executorch 1.5.1", "load_ms": 7.5, "peak_mib": 35.5, "samples_ms": [8.5, 8.25]}'
    log = parse_log(f"I 00:00:00.006 executorch:threadpool.cpp:66] log\n{line}\n")
    assert log.iterations_ms == [8.5, 8.25]
    assert (log.load_ms, log.peak_mib) == (7.5, 35.5)


def test_a_runner_that_is_nowhere_is_asked_for() -> None:
    with pytest.raises(DeviceError, match="--runner FILE"):
        find_runner(LocalDevice(), "/nowhere/executor_runner")
