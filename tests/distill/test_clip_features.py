"""Statistics of CLIP's blocks, and the teacher that reads them."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pocketiqa.preprocess import preprocess

from distill.data.mos_sets.photo_set import MosSet
from distill.teacher.any_resolution import accept_any_resolution
from distill.teacher.clip_features import (
    CLIP_INPUT,
    STATISTICS_WIDTH,
    BlockStatistics,
    ClipFeatures,
    clip_trunk,
    normalized,
)
from distill.teacher.clip_int8 import Int8ClipFeatures
from distill.teacher.load import load_teacher
from distill.teacher.packaged import PACKAGED
from distill.teacher.packaged_features import packaged_features
from distill.teacher.prompt_scores import prompt_scores
from distill.teacher.targets import pseudo_labels
from distill.teacher.teacher import TeacherConfig
from distill.teacher.two_towers import TwoTowers
from distill.training.feature_sets import scored_features


@torch.no_grad()
def test_each_blocks_part_is_class_token_then_mean_and_deviation_of_the_patches(tiny_vit: TwoTowers) -> None:
    visual = tiny_vit.model.visual
    statistics = BlockStatistics(visual, blocks=(1,))
    images = torch.rand(2, 3, 64, 64)
    seen = []
    visual.transformer.resblocks[0].register_forward_hook(lambda _, __, tokens: seen.append(tokens))
    read = statistics(images).unflatten(1, (3, 64))
    (tokens,) = seen
    assert torch.allclose(read[:, 0], tokens[:, 0])
    assert torch.allclose(read[:, 1], tokens[:, 1:].mean(1)) and torch.allclose(read[:, 2], tokens[:, 1:].std(1))


@torch.no_grad()
def test_the_last_blocks_class_token_is_what_the_embedding_is_made_of(tiny_vit: TwoTowers) -> None:
    visual = copy.deepcopy(tiny_vit.model.visual)
    images = torch.rand(2, 3, 64, 64)
    class_token = BlockStatistics(visual, blocks=(1,))(images)[:, :64]
    assert torch.allclose(visual.ln_post(class_token) @ visual.proj, tiny_vit.model.visual(images), atol=1e-5)


@torch.no_grad()
def test_a_larger_image_gives_statistics_of_the_same_width(tiny_vit: TwoTowers) -> None:
    accept_any_resolution(tiny_vit.model.visual)
    statistics = BlockStatistics(tiny_vit.model.visual, blocks=(1,))
    assert statistics(torch.rand(1, 3, 96, 160)).shape == statistics(torch.rand(1, 3, 64, 64)).shape == (1, 3 * 64)


def test_the_cached_features_normalize_as_the_teacher_does_and_know_their_weights(tiny_vit: TwoTowers) -> None:
    statistics = BlockStatistics(tiny_vit.model.visual, blocks=(1,))
    expected = copy.deepcopy(statistics)
    features = ClipFeatures(statistics)
    views = np.random.default_rng(0).random((2, 3, 64, 64), dtype=np.float32)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (PACKAGED["clip-b16"].mean, PACKAGED["clip-b16"].std))
    with torch.no_grad():
        wanted = expected((torch.from_numpy(views) - mean) / std).flatten()
    got = torch.from_numpy(features(views))
    assert got.dtype == torch.float32 and torch.nn.functional.cosine_similarity(got, wanted, dim=0) > 0.999
    before = features.fingerprint
    assert ClipFeatures(copy.deepcopy(expected)).fingerprint == before
    with torch.no_grad():
        expected.visual.conv1.weight[0, 0, 0, 0] += 1
    assert ClipFeatures(expected).fingerprint != before


@pytest.mark.slow
def test_clips_teacher_scores_photos_as_from_its_cached_statistics_and_its_text_knows_good_from_blurry(
    tmp_path: Path, photos: dict[str, np.ndarray]
) -> None:
    teacher = load_teacher(TeacherConfig("clip-b16"))
    files = [tmp_path / f"{name}.png" for name in ("coffee", "rocket")]
    for file in files:
        Image.fromarray(photos[file.stem]).save(file)
    mos_set = MosSet("own", files, np.array([0.2, 0.8]), np.array(["a", "b"]))
    assert PACKAGED["clip-b16"].keeps_trunk(teacher.visual)
    assert scored_features(mos_set, packaged_features("clip-b16"), tmp_path / "cache").features.shape == (
        2,
        2 * STATISTICS_WIDTH,
    )
    from_features = pseudo_labels(teacher, mos_set, tmp_path / "cache")
    with torch.no_grad():
        views = [teacher.embed(torch.from_numpy(preprocess(file, CLIP_INPUT))).mean(0) for file in files]
        text = teacher.text()
        seen = torch.nn.functional.normalize(torch.stack(views), dim=1)
        read = prompt_scores(seen, text, teacher.config.scoring).score.tolist()
    assert from_features.tolist() == pytest.approx(read, abs=0.02)
    assert text[0] @ text[12] > text[0] @ text[15]  # "Good photo." is nearer to "Good picture." than to "Blurry photo."


@pytest.mark.slow
def test_the_int8_files_statistics_follow_the_float_towers(photos: dict[str, np.ndarray]) -> None:
    views = np.concatenate([preprocess(photo, CLIP_INPUT) for photo in photos.values()])
    quick = Int8ClipFeatures()
    got = torch.from_numpy(np.stack([quick(view[None]) for view in views]))
    with torch.no_grad():
        wanted = clip_trunk()(normalized(torch.from_numpy(views)))
    assert got.shape == wanted.shape and got.dtype == torch.float32
    for here, there in zip(got.split(768, dim=1), wanted.split(768, dim=1)):
        assert torch.corrcoef(torch.stack([here.flatten(), there.flatten()]))[0, 1] > 0.95
    assert np.array_equal(quick(views[:2]), np.concatenate([quick(views[:1]), quick(views[1:2])]))
