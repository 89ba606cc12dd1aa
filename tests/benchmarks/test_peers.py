"""Peers measured in turns: what is paired with what, what a failing peer leaves, and the table."""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from pocketiqa.bundle import Bundle
from pocketiqa.preprocess import open_photo, preprocess

from benchmarks.peers import measure, process
from benchmarks.peers.catalogue import BASELINE, PEERS, STUDENT, Peer, choose
from benchmarks.peers.environments import CHECKOUT, ENVIRONMENTS, EnvironmentFailed, python_of
from benchmarks.peers.material import PHOTO_SIZE, write_material
from benchmarks.peers.record import PeerSamples, PeersRecord, read_csv, write_csv
from benchmarks.peers.table import plot, tables
from benchmarks.result_file import RecordError

WORKER = """
import json, sys, time
name = sys.argv[3]
def emit(event, **values): print(json.dumps({"event": event, **values}), flush=True)
if "refuses" in name: sys.exit("no such network")
emit("ready", runtime="pretend 1", file_bytes=1000, score=0.5)
count = 0
for line in sys.stdin:
    if line.strip() == "run":
        count += 1
        if "dies" in name and count == 3: sys.exit("out of memory")
        emit("sample", ms={"program:int8.pte": 10.0, "slow": 5000.0}.get(name, 30.0) + 0.1 * count)
    else:
        emit("end", peak_mib=50.0, parameters=1000, macs=2000)
        break
"""


@pytest.fixture
def pretending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that only pretend, so that the order of things is tested and no network."""
    worker = tmp_path / "worker.py"
    worker.write_text(WORKER)
    popen = process.subprocess.Popen
    monkeypatch.setattr(
        process.subprocess, "Popen", lambda argv, **o: popen([sys.executable, worker, *argv[2:3], "", argv[3]], **o)
    )


def peer(name: str) -> Peer:
    return Peer(name, "factory", name)


def rows_of(*names: str, rounds: int = 10) -> dict[str, PeerSamples]:
    rows = measure.measure([peer(name) for name in names], Path("."), Path("."), 1, rounds, lambda _: None)
    return {row.name: row for row in rows}


def test_every_sample_is_paired_with_one_of_our_program_in_the_same_round(pretending: None) -> None:
    rows = rows_of("a", "slow")
    assert len(rows[BASELINE.name].samples_ms) == 10
    assert rows["a"].baseline_ms == rows[BASELINE.name].samples_ms
    (figures,) = PeersRecord(peers=[rows["a"]]).figures
    assert figures.ratio == pytest.approx(3, rel=0.1)
    # The first round shows that it is slow; then every fifth.
    assert rows["slow"].baseline_ms == [rows[BASELINE.name].samples_ms[i] for i in (0, 5)]
    assert rows["a"].peak_mib == 50.0


def test_a_few_peers_run_at_a_time_and_our_program_beside_them(pretending: None) -> None:
    names = [f"peer {i}" for i in range(measure.TOGETHER + 1)]
    rows = rows_of(*names, rounds=5)
    assert len(rows[BASELINE.name].samples_ms) == 10
    assert all(len(rows[name].samples_ms) == 5 for name in names)


def test_a_peer_that_fails_is_reported_and_the_others_go_on(pretending: None) -> None:
    rows = rows_of("refuses", "dies", "a")
    assert rows["refuses"].problem == "no such network"
    assert rows["dies"].problem == "out of memory"
    assert len(rows["dies"].samples_ms) == 2
    assert rows["a"].problem is None and len(rows["a"].samples_ms) == 10


def test_an_environment_that_cannot_be_made_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFailed, match="uv is not installed"):
        python_of("networks", tmp_path)
    assert python_of("factory", tmp_path) == Path(sys.executable)


def test_every_peer_has_a_name_of_its_own_and_an_environment() -> None:
    assert len({peer.name for peer in PEERS}) == len(PEERS)
    assert {peer.environment for peer in PEERS} <= {"factory", *ENVIRONMENTS}


def test_peers_are_chosen_by_parts_of_their_names() -> None:
    assert BASELINE not in choose(None)
    assert [peer.name for peer in choose("niqe; nima")] == ["nima", "niqe"]
    with pytest.raises(ValueError, match="there are: ours"):
        choose("nosuch")


def test_all_read_one_photo_at_one_size(tiny_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    student = tmp_path / "student.safetensors"
    student.touch()
    photo = open_photo(bundle.read(next(iter(bundle.golden))))
    write_material(bundle, photo, "lite0", student, tmp_path / "out")
    assert np.load(tmp_path / "out/photo.npy").shape == (*PHOTO_SIZE[::-1], 3)
    assert np.load(tmp_path / "out/input.npy").shape == tuple(bundle.manifest.input.shape)
    assert len(np.load(tmp_path / "out/calibration.npy")) == len(bundle.golden)
    assert (tmp_path / "out/int8.pte").read_bytes() == bundle.read_variant("int8")


@pytest.fixture
def record() -> PeersRecord:
    ours = PeerSamples(BASELINE.name, STUDENT, samples_ms=[10.0, 11.0, 12.0], file_bytes=3_280_000, score=0.5)
    eager = PeerSamples("student, torch eager", STUDENT, samples_ms=[40.0] * 3, baseline_ms=[10.0, 11.0, 12.0],
                parameters=2_900_000, macs=1_500_000_000)  # fmt: skip
    other = PeerSamples("musiq", "another network", 0.789, samples_ms=[900.0] * 3, baseline_ms=[10.0, 11.0, 12.0])
    return PeersRecord("a machine", "a photo", "today", peers=[ours, eager, other])


def test_the_table_has_ratios_with_intervals_and_one_count_for_one_network(record: PeersRecord) -> None:
    text = re.sub(" +", " ", tables(record.figures))
    assert "| ours, int8 .pte | 11 [10, 12] | 1 | 3 | | 3.28 | 2.9 | 1.50 | 0.5000 |" in text
    assert "| musiq | 900 [900, 900] | 81.8 [75, 90] | 3 |" in text
    record.merge([PeerSamples("niqe", "another network", problem="no network")])
    assert record.problems == {"niqe": "no network"}
    assert "niqe" not in tables(record.figures)


def test_a_later_run_replaces_peers_and_keeps_the_others(record: PeersRecord, tmp_path: Path) -> None:
    record.write(tmp_path / "peers.json")
    read = PeersRecord.read(tmp_path / "peers.json")
    assert read == record
    ours = PeerSamples(BASELINE.name, STUDENT, samples_ms=[13.0])
    read.merge([ours, PeerSamples("musiq", "another network", samples_ms=[800.0])])
    assert [peer.samples_ms for peer in read.peers] == [[10.0, 11.0, 12.0, 13.0], [40.0] * 3, [800.0]]
    (tmp_path / "peers.json").write_text("{}")
    with pytest.raises(RecordError, match="not a pocketiqa-peers file"):
        PeersRecord.read(tmp_path / "peers.json")


def test_figures_survive_the_csv_and_another_csv_is_refused(record: PeersRecord, tmp_path: Path) -> None:
    write_csv(record.figures, tmp_path / "peers.csv")
    assert read_csv(tmp_path / "peers.csv") == record.figures
    for text in ("name,score\na,1\n", (tmp_path / "peers.csv").read_text().replace("900.0", "fast")):
        (tmp_path / "peers.csv").write_text(text)
        with pytest.raises(RecordError, match="not a CSV"):
            read_csv(tmp_path / "peers.csv")


def test_the_plot_is_the_same_picture_each_time(record: PeersRecord, tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        plot(record.figures, tmp_path / name)
    assert "musiq" in (tmp_path / "one.svg").read_text()
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    plot(record.figures, tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


def test_the_results_show_the_committed_rows() -> None:
    folder = CHECKOUT / "benchmarks" / "experiments"
    assert tables(read_csv(folder / "results" / "peers.csv")) in (folder / "RESULTS.md").read_text()


@pytest.mark.slow
def test_a_real_worker_scores_and_tells_what_it_knows(tiny_bundle: Path, tmp_path: Path) -> None:
    """In the torch-free environment where there is one: a peer's Python has none of the factory's packages."""
    bundle = Bundle.open(tiny_bundle)
    (tmp_path / "int8.pte").write_bytes(bundle.read_variant("int8"))
    golden, expected = next(iter(bundle.golden.items()))
    np.save(tmp_path / "input.npy", preprocess(bundle.read(golden), bundle.manifest.input))
    python = Path(os.environ.get("POCKETIQA_TORCH_FREE_PYTHON", sys.executable))
    worker = process.PeerProcess(BASELINE, python, tmp_path, 1)
    try:
        ready = worker.event("ready")
        assert ready["score"] == pytest.approx(expected["int8"][0], abs=1e-5)
        assert ready["file_bytes"] == (tmp_path / "int8.pte").stat().st_size
        assert worker.sample() > 0
        assert worker.end()["peak_mib"] > 20
    finally:
        worker.close()
