"""What breaks a training run off: nothing but the steps since the last checkpoint is lost, and those come again."""

from __future__ import annotations

import random
import signal
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from faulty_line import (
    STEPS,
    Faulty,
    ended,
    killed_after,
    killed_while_drawing,
    nothing,
    pair,
    reported,
    started,
    traced,
    with_room,
)
from PIL import Image
from trained_line import Line, trained

from distill import __main__
from distill.data.mos_sets import MosSetError
from distill.data.training_photos import check_photos, read_photo
from distill.stages.train_teacher import TeacherRunConfig, train_teacher
from distill.training.frozen_features import frozen_features
from distill.training.run_folder import RunError, RunFolder, TrainingStopped
from distill.training.source_sampler import SourceSampler
from distill.training.trainer import TrainerConfig


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Line, str]:
    """A run that nothing happened to, and its metrics."""
    run = tmp_path_factory.mktemp("undisturbed")
    return trained(run, STEPS), (run / "metrics.csv").read_text()


@pytest.fixture
def no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RunFolder, "draw_curves", nothing)


def assert_goes_on(run: Path, undisturbed: tuple[Line, str], why: object = "") -> None:
    """The same command again ends as if nothing had happened."""
    resumed, (line, metrics) = trained(run, STEPS), undisturbed
    assert torch.equal(resumed.layer.weight, line.layer.weight), why
    assert torch.equal(resumed.layer.bias, line.layer.bias), why
    assert (run / "metrics.csv").read_text() == metrics, why
    assert {path.name for path in run.iterdir()} <= {"config.json", "metrics.csv", "checkpoint.pt", "curves.png"}, why


def test_twenty_runs_killed_at_any_line_end_with_the_weights_of_an_undisturbed_run(
    tmp_path: Path, undisturbed: tuple[Line, str], no_curves: None
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    draw = random.Random(seed)
    lines = tmp_path / "lines"
    assert ended([started(traced, tmp_path / "whole", None, lines)]) == [0]
    visited = lines.read_text()
    training, saving = ([at for at, kind in enumerate(visited, start=1) if kind == which] for which in "ts")
    kills = draw.sample(training, 10) + draw.sample(saving, 10)
    runs = [tmp_path / f"trial {trial}" for trial in range(20)]
    processes = [started(traced, run, kill, None) for run, kill in zip(runs, kills)]
    assert set(ended(processes)) == {-signal.SIGKILL}
    for run, kill in zip(runs, kills):
        assert_goes_on(run, undisturbed, f"seed {seed}: killed at line event {kill} of {len(visited)}")


def test_a_run_killed_while_its_curves_are_drawn_goes_on(tmp_path: Path, undisturbed: tuple[Line, str]) -> None:
    assert ended([started(killed_while_drawing, tmp_path)]) == [-signal.SIGKILL]
    assert_goes_on(tmp_path, undisturbed)
    assert (tmp_path / "curves.png").read_bytes().endswith(b"IEND\xaeB`\x82")


@pytest.mark.parametrize("room", [0, 200, 1000, 20_000])
def test_a_disk_that_fills_up_stops_the_run_with_one_line_and_it_goes_on_later(
    tmp_path: Path, undisturbed: tuple[Line, str], no_curves: None, room: int
) -> None:
    said, run = tmp_path / "said", tmp_path / "run"
    assert ended([started(reported, said, with_room, run, room)]) == [0]
    kind, message = said.read_text().split(": ", 1)
    assert kind == "TrainingStopped" and "cannot be written: File too large; the last checkpoint is whole" in message
    assert "\n" not in message and "start the same command again" in message
    assert RunFolder(run, {"steps": STEPS, "dropout": 0.3}).load_checkpoint()["step"] in (7, 14)
    assert_goes_on(run, undisturbed)


def test_a_line_of_metrics_that_was_written_by_half_is_dropped(
    tmp_path: Path, undisturbed: tuple[Line, str], no_curves: None
) -> None:
    for number, torn in enumerate(("8,squared err", "8,loss,0.12", "\0\0\0", "what,is,this\n", '8,"loss')):
        run = tmp_path / str(number)
        assert ended([started(killed_after, run, 8)]) == [-signal.SIGKILL]
        with (run / "metrics.csv").open("a") as stream:
            stream.write(torn)
        assert_goes_on(run, undisturbed, torn)


def test_metrics_whose_name_holds_a_comma_survive_a_resumption(tmp_path: Path) -> None:
    run = RunFolder(tmp_path, {})
    run.log(1, {"srcc own phone A, left": 0.5})
    before = (tmp_path / "metrics.csv").read_text()
    run.forget_after(1)
    run.forget_after(1)
    assert (tmp_path / "metrics.csv").read_text() == before


@pytest.mark.parametrize("place", ["file/run", "file", "/proc/nowhere/run", "config"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_first_step(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "config" / "config.json").mkdir(parents=True)
    with pytest.raises(RunError, match=rf"{place}.* cannot be a run's folder: .*; give another --run"):
        trained(tmp_path / place, STEPS)


def test_a_folder_that_goes_away_in_the_middle_stops_the_run_and_it_goes_on_once_it_is_back(
    tmp_path: Path, undisturbed: tuple[Line, str], no_curves: None
) -> None:
    run, aside = tmp_path / "run", tmp_path / "aside"

    def gone(step: int, batch: dict[str, torch.Tensor]) -> None:
        if step == 10:
            run.rename(aside)
            run.write_text("no folder any more")

    with pytest.raises(TrainingStopped, match=r"metrics\.csv cannot be written: Not a directory"):
        trained(run, STEPS, line=Faulty(gone))
    run.unlink()
    aside.rename(run)
    assert_goes_on(run, undisturbed)


def test_a_damaged_checkpoint_is_named_and_never_becomes_weights(tmp_path: Path, no_curves: None) -> None:
    trained(tmp_path, 7)
    file = tmp_path / "checkpoint.pt"
    whole, run, draw = file.read_bytes(), RunFolder(tmp_path, {"steps": 7, "dropout": 0.3}), random.Random(0)
    weights = run.load_checkpoint()["weights"]
    flipped = [bytearray(whole) for _ in range(60)]
    for damaged in flipped:
        damaged[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
    shorter = [whole[:size] for size in (0, 1, 100, len(whole) // 2, len(whole) - 1)]
    refused = 0
    for damaged in [b"no archive", *shorter, *flipped]:
        file.write_bytes(damaged)
        try:
            loaded = run.load_checkpoint()
        except RunError as error:
            refused += 1
            assert str(file) in str(error) and "delete it" in str(error) and "\n" not in str(error)
        else:  # a bit between the archive's parts, which nobody reads
            assert all(torch.equal(loaded["weights"][name], tensor) for name, tensor in weights.items())
    assert refused > 35
    with pytest.raises(RunError, match="damaged"):
        file.write_bytes(whole[:-30])
        trained(tmp_path, 7)
    assert file.read_bytes() == whole[:-30]  # left for whoever wants to repair it


def test_a_checkpoint_of_another_network_or_of_more_processes_is_refused(tmp_path: Path, no_curves: None) -> None:
    trained(tmp_path, 7)
    run = RunFolder(tmp_path, {"steps": 7, "dropout": 0.3})
    state = run.load_checkpoint()
    run.save_checkpoint(state | {"random": state["random"] * 2})
    with pytest.raises(RunError, match="saved by 2 processes and cannot go on with 1"):
        trained(tmp_path, 7)
    # One number would be spread over all five weights if shapes were not compared.
    run.save_checkpoint(state | {"weights": state["weights"] | {"layer.weight": torch.ones(1, 1)}})
    with pytest.raises(RunError, match="another network"):
        trained(tmp_path, 7)


def test_a_configuration_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for damaged in (b"", b"{", b"[1]", b"\xff\xfe"):
        (tmp_path / "config.json").write_bytes(damaged)
        with pytest.raises(RunError, match=r"config\.json cannot be read"):
            RunFolder(tmp_path, {"steps": 1})


def test_a_loss_that_is_not_finite_stops_the_run_before_it_reaches_a_weight(
    tmp_path: Path, undisturbed: tuple[Line, str], no_curves: None
) -> None:
    for number in (float("nan"), float("inf")):
        run = tmp_path / str(number)

        def spoil(step: int, batch: dict[str, torch.Tensor], number: float = number) -> None:
            if step == 12:
                batch["targets"] = batch["targets"] * number

        with pytest.raises(TrainingStopped, match=r"step 12: squared error is not finite.* last checkpoint is whole"):
            trained(run, STEPS, line=Faulty(spoil))
        state = RunFolder(run, {"steps": STEPS, "dropout": 0.3}).load_checkpoint()
        assert state["step"] == 7 and all(tensor.isfinite().all() for tensor in state["weights"].values())
        assert_goes_on(run, undisturbed)


def test_weights_that_a_sound_loss_has_spoilt_are_not_saved(
    tmp_path: Path, undisturbed: tuple[Line, str], no_curves: None
) -> None:
    class Steep(Line):
        calls = 0

        def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            self.calls += 1
            losses = super().forward(batch)
            if self.calls == 14:  # the slope of the root at 0 is infinite
                losses["root"] = (self.layer.weight - self.layer.weight.detach()).sum().sqrt()
            return losses

    with pytest.raises(TrainingStopped, match=r"step 14: layer\.weight is not finite"):
        trained(tmp_path, STEPS, line=Steep())
    assert RunFolder(tmp_path, {"steps": STEPS, "dropout": 0.3}).load_checkpoint()["step"] == 7
    assert_goes_on(tmp_path, undisturbed)


def test_a_worker_that_dies_ends_its_fellow_with_one_line_and_both_go_on_later(tmp_path: Path) -> None:
    whole, broken, said = tmp_path / "whole", tmp_path / "broken", tmp_path / "said"
    first = pair(whole, said, None)
    second = pair(broken, said, 10)
    assert ended(first) == [0, 0]
    assert ended(second) == [0, -signal.SIGKILL]
    kind, message = said.read_text().split(": ", 1)
    assert kind == "TrainingStopped" and "\n" not in message
    assert "process 0 of 2 lost another one" in message and "start the same command again" in message
    assert ended(pair(broken, said, None)) == [0, 0]
    ours, theirs = (torch.load(run / "second.pt", weights_only=True) for run in (broken, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert (broken / "metrics.csv").read_text() == (whole / "metrics.csv").read_text()


def test_missing_and_corrupt_photos_are_all_named_before_a_teacher_is_even_loaded(
    tmp_path: Path, photos: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distill.stages.train_teacher.load_teacher", partial(_raise, AssertionError("too late")))
    for name in ("good", "truncated"):
        Image.fromarray(photos["coffee"]).save(tmp_path / f"{name}.jpg")
    encoded = (tmp_path / "truncated.jpg").read_bytes()
    (tmp_path / "truncated.jpg").write_bytes(encoded[: len(encoded) // 2])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dangling.png").symlink_to("nowhere")
    config = TeacherRunConfig(tmp_path / "run", pristine=[tmp_path], opinion_steps=TrainerConfig(steps=0))
    with pytest.raises(MosSetError, match="5 of 6 training photos cannot be used") as caught:
        train_teacher(config)
    named = ("truncated.jpg: ", "empty.png: ", "text.png: ", "folder.png: a directory", "dangling.png: ")
    assert all(name in str(caught.value) for name in named) and "good.jpg" not in str(caught.value)


def test_a_photo_that_goes_away_in_the_middle_is_named_and_the_run_goes_on_once_it_is_back(
    tmp_path: Path, undisturbed: tuple[Line, str], photos: dict[str, np.ndarray], no_curves: None
) -> None:
    photo, run = tmp_path / "photo.png", tmp_path / "run"
    Image.fromarray(photos["coffee"][:64, :64]).save(photo)
    check_photos([photo, photo])

    def read(step: int, batch: dict[str, torch.Tensor]) -> None:
        if step == 9:
            photo.unlink()
        read_photo(photo)

    with pytest.raises(MosSetError, match=r"photo\.png: cannot be read: No such file"):
        trained(run, STEPS, line=Faulty(read))
    assert_goes_on(run, undisturbed)


def test_a_damaged_or_full_cache_of_features_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Trunk:
        fingerprint = "stub"

        def __call__(self, views: np.ndarray) -> np.ndarray:
            return views

    def features() -> np.ndarray:
        return frozen_features(Trunk(), ["a", "b"], lambda name: np.full(3, ord(name)), tmp_path, "stub")

    computed = np.array(features())
    (file,) = tmp_path.iterdir()
    for damaged in (b"", file.read_bytes()[:-1], b"no array"):
        file.write_bytes(damaged)
        with pytest.raises(RunError, match=r"stub-.* is damaged .*; delete it"):
            features()
    file.unlink()
    with monkeypatch.context() as patch:
        patch.setattr("os.replace", partial(_raise, OSError(28, "No space left on device")))
        with pytest.raises(TrainingStopped, match="cannot be written: No space left on device; make room"):
            features()
    assert not list(tmp_path.iterdir())
    assert np.array_equal(features(), computed)


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (TrainingStopped("step 3: the loss\nis not finite"), 1, "distill: step 3: the loss is not finite"),
        (RunError("no run"), 2, "distill: no run"),
        (MosSetError("no photos"), 2, "distill: no photos"),
        (OSError(28, "No space left on device", "student.json"), 1, "distill: student.json: No space left on device"),
        (KeyboardInterrupt(), 130, "distill: stopped; the same command goes on from what was last saved"),
    ],
)
def test_whatever_breaks_a_run_is_one_line_and_an_exit_status(
    error: BaseException, status: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__main__._COMMANDS, "teacher", partial(_raise, error))
    monkeypatch.setattr(sys, "argv", ["distill", "teacher", "--run", "x"])
    assert __main__.main() == status
    assert capsys.readouterr().err == f"{line}\n"


def test_a_batch_that_processes_cannot_share_is_a_mistake_of_the_call() -> None:
    with pytest.raises(RunError, match="give a multiple"):
        SourceSampler([[0, 1, 2]], batch=3, seed=0, world=2)


def _raise(error: BaseException, *_: object) -> None:
    raise error
