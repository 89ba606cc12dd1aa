"""The ablation's own arithmetic: held-out ladders, averages, and what counts as falling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.data.degraded_photos import CLEAN, DegradedPhoto
from distill.data.mos_sets import MosSet, MosSetError, split_by_hash
from distill.experiments import ablation as module
from distill.experiments.ablation import AblationConfig, falls, measure_ablation, with_interval, without
from distill.experiments.ablation_rows import Room, Row, rows
from distill.heads.linear import Ladders, Opinions


@pytest.fixture(scope="module")
def room() -> Room:
    generator = torch.Generator().manual_seed(0)
    view = torch.randn(90, 3, generator=generator)
    features = torch.cat([view, view + 0.1 * torch.randn(90, 3, generator=generator)], dim=1)
    mos = torch.sigmoid(0.8 * features[:, 0])
    severity = torch.arange(36) % 6
    copies = torch.randn(36, 6, generator=generator) * 0.1
    copies[:, [0, 3]] = 1 - 0.4 * severity[:, None]
    pairs = torch.tensor([(row - 1, row) for row in range(36) if severity[row]])
    ladders = Ladders(copies, torch.full((36, 6), torch.nan), pairs)
    return Room(Opinions(features, mos, np.array(["a", "b", "c"] * 30)), lambda: (ladders, copies[:6]))


@pytest.mark.parametrize("name", rows())
def test_every_row_ranks_a_source_that_it_never_saw_when_there_is_something_to_learn(room: Room, name: str) -> None:
    out = room.opinions.sources == "c"
    score = rows()[name].fit(lambda _: room, ~out)(room.opinions.features[out])
    assert np.corrcoef(score, room.opinions.mos[out])[0, 1] > 0.8


def test_pairs_with_a_held_out_rung_are_dropped_and_the_others_point_at_the_same_features(room: Room) -> None:
    held_out = np.arange(36) < 7
    kept = without(room.ladders, held_out)
    before = {(a, b) for a, b in room.ladders.pairs.tolist() if a >= 7 and b >= 7}
    after = {(a + 7, b + 7) for a, b in kept.pairs.tolist()}
    assert after == before and torch.equal(kept.features, room.ladders.features[7:])


def test_a_falling_ladder_counts_one_and_a_rising_one_minus_one() -> None:
    copies = [DegradedPhoto(Path("a"), CLEAN, 0, 0)] + [
        DegradedPhoto(Path("a"), "jpeg", level, 0) for level in (1, 2, 3)
    ]
    assert falls(copies, np.array([0.9, 0.7, 0.5, 0.2])) == pytest.approx(1)
    assert falls(copies, np.array([0.2, 0.5, 0.7, 0.9])) == pytest.approx(-1)


def test_heads_average_by_their_shares(room: Room) -> None:
    def logits(name: str) -> torch.Tensor:
        return rows()[name].fit(lambda _: room, room.opinions.sources != "c")(room.opinions.features).logit()

    average = logits("mean with the head of ladders alone, 3 : 1 (WiSE-FT)")
    ladders, plain = logits("ladders alone, no opinions (stage A's idea)"), logits("opinions and ladders (plain)")
    assert torch.allclose(average, 0.25 * ladders + 0.75 * plain, atol=1e-3)


def test_an_interval_shrinks_with_more_photos() -> None:
    generator = np.random.default_rng(0)
    mos = generator.random(4000)
    score = mos + generator.normal(0, 0.2, 4000)
    few, many = (float(with_interval(score[:n], mos[:n], seed=0).split("± ")[1]) for n in (100, 4000))
    assert many < few / 3


def test_a_set_beyond_has_a_column_that_every_row_is_fitted_to_all_sources_for(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [tmp_path / f"{number}.png" for number in range(90)]
    for photo in photos:
        photo.touch()
    known = MosSet("biq2021", photos, room.opinions.mos.double().numpy(), room.opinions.sources)
    table = tmp_path / "beyond.csv"
    table.write_text("name,mos\n" + "".join(f"{p.name},{1 + 4 * mos}\n" for p, mos in zip(photos[:40], known.mos)))
    read, fitted_to = [], []

    def opinions_of(mos_set: MosSet, *_: object) -> Opinions:
        read.append(len(mos_set))
        return room.opinions.take(np.arange(90) < len(mos_set))

    def fit(rooms: object, use: np.ndarray) -> Callable[[torch.Tensor], torch.Tensor]:
        fitted_to.append(int(use.sum()))
        return lambda features: features[:, 0]

    copies = 90 * (1 + 2 * 5)
    of_the_photos = Ladders(torch.zeros(copies, 6), torch.full((copies, 6), torch.nan), torch.tensor([(0, 1)]))
    monkeypatch.setattr(module, "read_biq2021", lambda folder, split: known)
    monkeypatch.setattr(module, "pristine_photos", lambda folders: photos)
    monkeypatch.setattr(module, "FrozenTrunk", lambda network: None)
    monkeypatch.setattr(module, "opinions_of", opinions_of)
    monkeypatch.setattr(module, "falls", lambda copies, score: 1.0)
    monkeypatch.setattr(module, "ladders_of", lambda *_: of_the_photos)
    monkeypatch.setattr(module, "rows", lambda: {"a row": Row("student", fit)})
    with_beyond = AblationConfig(
        tmp_path, [tmp_path], beyond_images=tmp_path, beyond_mos=table, beyond_scale=(1, 5), cache=tmp_path
    )
    lines = measure_ablation(with_beyond).splitlines()
    assert lines[0].endswith("| to teacher | beyond |") and lines[-1].endswith("Beyond: n = 40 photos.")
    expected = with_interval(room.opinions.features[:40, 0].numpy(), room.opinions.mos[:40].numpy(), 0)
    assert lines[2].endswith(f"| – | {expected} |")
    assert fitted_to[:3] == [60, 60, 60] and fitted_to[-1] == 90 and read == [90, 40]
    # A tenth held out, then each kind of photo left out once.
    assert fitted_to[3] == 90 - split_by_hash(photos, 0.1).sum() and sum(fitted_to[4:-1]) == 90 * 5
    assert "beyond" not in measure_ablation(replace(with_beyond, beyond_images=None, beyond_mos=None))
    with pytest.raises(MosSetError, match="--beyond-images with --beyond-mos"):
        measure_ablation(replace(with_beyond, beyond_mos=None))
