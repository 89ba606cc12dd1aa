"""The ablation's own arithmetic: held-out ladders, averages, and what counts as falling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from distill.data.degraded_photos import CLEAN, DegradedPhoto, mean_falling
from distill.data.mos_sets import MosSet, MosSetError, split_by_hash
from distill.experiments import ablation as module
from distill.experiments.ablation import AblationConfig, measure_ablation
from distill.experiments.ablation_rows import TrunkFeatures, Variant, variants
from distill.experiments.figures import srcc_estimate
from distill.training.features import LadderFeatures, ScoredFeatures

TEXT = torch.nn.functional.normalize(torch.randn(31, 16, generator=torch.Generator().manual_seed(0)), dim=1)


@pytest.fixture(scope="module")
def trunk() -> TrunkFeatures:
    generator = torch.Generator().manual_seed(0)
    view = torch.randn(90, 3, generator=generator)
    features = torch.cat([view, view + 0.1 * torch.randn(90, 3, generator=generator)], dim=1)
    mos = torch.sigmoid(0.8 * features[:, 0])
    severity = torch.arange(36) % 6
    copies = torch.randn(36, 6, generator=generator) * 0.1
    copies[:, [0, 3]] = 1 - 0.4 * severity[:, None]
    pairs = torch.tensor([(row - 1, row) for row in range(36) if severity[row]])
    ladders = LadderFeatures(copies, torch.full((36, 6), torch.nan), pairs)
    return TrunkFeatures(ScoredFeatures(features, mos, np.array(["a", "b", "c"] * 30)), lambda: (ladders, copies[:6]))


@pytest.mark.parametrize("name", variants(TEXT))
def test_every_row_ranks_a_source_that_it_never_saw_when_there_is_something_to_learn(
    trunk: TrunkFeatures, name: str
) -> None:
    out = trunk.scored.sources == "c"
    score = variants(TEXT)[name].fit(lambda _: trunk, ~out)(trunk.scored.features[out])
    assert np.corrcoef(score, trunk.scored.mos[out])[0, 1] > 0.8


def test_a_falling_ladder_counts_one_and_a_rising_one_minus_one() -> None:
    copies = [DegradedPhoto(Path("a"), CLEAN, 0, 0)] + [
        DegradedPhoto(Path("a"), "jpeg", level, 0) for level in (1, 2, 3)
    ]
    assert mean_falling(copies, np.array([0.9, 0.7, 0.5, 0.2])) == pytest.approx(1)
    assert mean_falling(copies, np.array([0.2, 0.5, 0.7, 0.9])) == pytest.approx(-1)


def test_heads_average_by_their_shares(trunk: TrunkFeatures) -> None:
    def logits(name: str) -> torch.Tensor:
        return variants(TEXT)[name].fit(lambda _: trunk, trunk.scored.sources != "c")(trunk.scored.features).logit()

    average = logits("mean with the head of ladders alone, 3 : 1 (WiSE-FT)")
    ladders, plain = logits("ladders alone, no opinions (stage A's idea)"), logits("opinions and ladders (plain)")
    assert torch.allclose(average, 0.25 * ladders + 0.75 * plain, atol=1e-3)


def test_an_interval_shrinks_with_more_photos() -> None:
    generator = np.random.default_rng(0)
    mos = generator.random(4000)
    score = mos + generator.normal(0, 0.2, 4000)
    few, many = (srcc_estimate(score[:n], mos[:n], seed=0).half for n in (100, 4000))
    assert many < few / 3


def test_a_set_beyond_has_a_column_that_every_row_is_fitted_to_all_sources_for(
    trunk: TrunkFeatures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [tmp_path / f"{number}.png" for number in range(90)]
    for photo in photos:
        photo.touch()
    known = MosSet("biq2021", photos, trunk.scored.mos.double().numpy(), trunk.scored.sources)
    table = tmp_path / "beyond.csv"
    table.write_text("name,mos\n" + "".join(f"{p.name},{1 + 4 * mos}\n" for p, mos in zip(photos[:40], known.mos)))
    read, fitted_to = [], []

    def scored_features(mos_set: MosSet, *_: object) -> ScoredFeatures:
        read.append(len(mos_set))
        return trunk.scored.take(np.arange(90) < len(mos_set))

    def fit(trunks: object, use: np.ndarray) -> Callable[[torch.Tensor], torch.Tensor]:
        fitted_to.append(int(use.sum()))
        return lambda features: features[:, 0]

    copies = 90 * (1 + 2 * 5)
    of_the_photos = LadderFeatures(torch.zeros(copies, 6), torch.full((copies, 6), torch.nan), torch.tensor([(0, 1)]))
    monkeypatch.setattr(module, "read_biq2021", lambda folder, split: known)
    monkeypatch.setattr(module, "pristine_photos", lambda folders: photos)
    monkeypatch.setattr(module, "FrozenTrunk", lambda network, spec: None)
    monkeypatch.setattr(module, "scored_features", scored_features)
    monkeypatch.setattr(module, "mean_falling", lambda copies, score: 1.0)
    monkeypatch.setattr(module, "ladder_features", lambda *_: of_the_photos)
    monkeypatch.setattr(module, "variants", lambda text: {"a row": Variant("student", fit)})
    with_beyond = AblationConfig(
        tmp_path, [tmp_path], beyond_images=tmp_path, beyond_mos=table, beyond_scale=(1, 5), cache=tmp_path
    )
    table = measure_ablation(with_beyond)
    assert table.columns[-2:] == ["to teacher", "beyond"] and table.note.endswith("Beyond: n = 40 photos.")
    expected = srcc_estimate(trunk.scored.features[:40, 0].numpy(), trunk.scored.mos[:40].numpy(), 0)
    assert table.rows["a row"][-2:] == [None, expected]
    assert fitted_to[:3] == [60, 60, 60] and fitted_to[-1] == 90 and read == [90, 40]
    # A tenth held out, then each kind of photo left out once.
    assert fitted_to[3] == 90 - split_by_hash(photos, 0.1).sum() and sum(fitted_to[4:-1]) == 90 * 5
    assert "beyond" not in measure_ablation(replace(with_beyond, beyond_images=None, beyond_mos=None)).columns
    with pytest.raises(MosSetError, match="--beyond-images with --beyond-mos"):
        measure_ablation(replace(with_beyond, beyond_mos=None))
