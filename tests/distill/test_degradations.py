"""The degradations: pure, seeded, batched, checked, and worse level by level on real photographs."""

import math

import numpy as np
import pytest
import skimage.data
import torch
from sklearn.datasets import load_sample_image

from distill.degradations.degrade import ATTRIBUTE_OF_KIND, DEGRADATIONS, GROUPS, KINDS, LEVELS, degrade
from distill.degradations.gaussian import blur_gaussian

SIDE = 256
RANDOM_KINDS = (
    "motion_blur",
    "colour_shift",
    "white_noise",
    "white_noise_ycbcr",
    "impulse_noise",
    "multiplicative_noise",
    "jitter",
    "misplaced_patches",
    "colour_blocks",
)
# Pixel by pixel, texture that has moved far is no further from where it was than texture that has moved a
# little: compare what a lower resolution shows.
KINDS_THAT_MOVE_PIXELS = ("colour_shift",)


def crop(pixels: np.ndarray, top: int, left: int) -> torch.Tensor:
    square = torch.from_numpy(pixels[top : top + SIDE, left : left + SIDE].copy())
    return square.permute(2, 0, 1).float() / 255


@pytest.fixture(scope="module")
def photos() -> torch.Tensor:
    """Three photographs, 3×3×256×256."""
    return torch.stack(
        [
            crop(skimage.data.astronaut(), 0, 96),
            crop(load_sample_image("china.jpg"), 100, 200),
            crop(skimage.data.coffee(), 60, 150),
        ]
    )


def distances(photos: torch.Tensor, kind: str) -> torch.Tensor:
    """Mean squared distance from the clean photo, one row a level, one column a photo."""
    rows = []
    for level in LEVELS:
        difference = degrade(photos, kind, level, seed=7) - photos
        if kind in KINDS_THAT_MOVE_PIXELS:
            difference = blur_gaussian(difference, 4.0)
        rows.append(difference.square().mean(dim=(1, 2, 3)))
    return torch.stack(rows)


def test_there_are_24_kinds_in_7_groups_at_5_levels() -> None:
    assert len(KINDS) == len(DEGRADATIONS) == 24
    assert len(GROUPS) == 7
    assert {row.group for row in DEGRADATIONS.values()} == set(GROUPS)
    assert all(len(row.levels) == 5 for row in DEGRADATIONS.values())
    assert all(row.name == kind for kind, row in DEGRADATIONS.items())


def test_every_group_has_as_many_kinds_as_kadid_describes() -> None:
    sizes = {group: sum(row.group == group for row in DEGRADATIONS.values()) for group in GROUPS}
    assert sizes == {
        "blur": 3,
        "colour": 4,
        "compression": 2,
        "noise": 4,
        "brightness": 3,
        "spatial": 5,
        "sharpness_contrast": 3,
    }


def test_every_attribute_of_the_student_has_a_kind_that_harms_it() -> None:
    assert set(ATTRIBUTE_OF_KIND) == set(KINDS)
    assert set(ATTRIBUTE_OF_KIND.values()) == {
        "sharpness", "noise", "exposure", "contrast", "colour", "compression", None
    }  # fmt: skip


def test_the_parameters_run_in_one_direction() -> None:
    for row in DEGRADATIONS.values():
        steps = [later - earlier for earlier, later in zip(row.levels, row.levels[1:])]
        assert all(step > 0 for step in steps) or all(step < 0 for step in steps), row.name


@pytest.mark.parametrize("kind", KINDS)
def test_every_level_is_further_from_the_clean_photo_than_the_one_before(kind, photos) -> None:
    distance = distances(photos, kind)
    assert (distance[0] > 1e-6).all(), "level 1 is the identity"
    assert (distance.diff(dim=0) > 0).all(), distance.sqrt()


@pytest.mark.parametrize("kind", KINDS)
def test_the_input_is_never_changed_nor_shared(kind, photos) -> None:
    before = photos.clone()
    result = degrade(photos, kind, 5, seed=1)
    assert torch.equal(photos, before)
    result.zero_()
    assert torch.equal(photos, before)


@pytest.mark.parametrize("kind", KINDS)
def test_the_result_is_a_float32_batch_in_the_unit_range(kind, photos) -> None:
    for level in (1, 5):
        result = degrade(photos, kind, level, seed=2)
        assert result.shape == photos.shape
        assert result.dtype == torch.float32
        assert result.is_contiguous()
        assert result.min() >= 0
        assert result.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_black_white_and_the_smallest_photos_stay_in_range(kind) -> None:
    flat = torch.stack([torch.zeros(3, 32, 48), torch.ones(3, 32, 48), torch.full((3, 32, 48), 0.5)])
    for level in LEVELS:
        result = degrade(flat, kind, level, seed=3)
        assert result.isfinite().all()
        assert result.min() >= 0
        assert result.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_photo_and_leaves_the_global_generator_alone(kind, photos) -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first = degrade(photos, kind, 3, seed=11)
    torch.rand(5)
    assert torch.equal(first, degrade(photos, kind, 3, seed=11))
    torch.set_rng_state(state)
    degrade(photos, kind, 3, seed=12)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", KINDS)
def test_another_seed_changes_the_random_kinds_and_only_them(kind, photos) -> None:
    same = torch.equal(degrade(photos, kind, 4, seed=1), degrade(photos, kind, 4, seed=2))
    assert same == (kind not in RANDOM_KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_equals_its_photos_one_by_one(kind, photos) -> None:
    seeds = [5, 6, 7]
    together = degrade(photos, kind, 4, seeds)
    alone = torch.cat([degrade(photos[i : i + 1], kind, 4, seeds[i]) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-5)
    one_seed = degrade(photos, kind, 4, 5)
    assert torch.allclose(one_seed[:1], together[:1], atol=1e-5)


@pytest.mark.parametrize("kind", ("misplaced_patches", "colour_blocks", "impulse_noise"))
def test_a_pixel_that_a_lower_level_spoils_is_spoilt_alike_at_the_next(kind, photos) -> None:
    for level in LEVELS[:-1]:
        lower, higher = degrade(photos, kind, level, 9), degrade(photos, kind, level + 1, 9)
        spoilt = lower != photos
        assert torch.equal(lower[spoilt], higher[spoilt])


def test_noise_has_the_variance_of_the_table() -> None:
    grey = torch.full((1, 3, 256, 256), 0.5)
    for level, variance in zip(LEVELS, DEGRADATIONS["white_noise"].levels):
        assert degrade(grey, "white_noise", level, 0).var().item() == pytest.approx(variance, rel=0.05)
    for level, variance in zip(LEVELS, DEGRADATIONS["multiplicative_noise"].levels):
        measured = degrade(grey, "multiplicative_noise", level, 0).var().item()
        assert measured == pytest.approx(variance / 4, rel=0.05)


def test_impulse_noise_hits_the_share_of_the_table() -> None:
    grey = torch.full((1, 3, 256, 256), 0.5)
    for level, density in zip(LEVELS, DEGRADATIONS["impulse_noise"].levels):
        hit = degrade(grey, "impulse_noise", level, 0)
        assert (hit == 0).float().mean().item() == pytest.approx(density / 2, rel=0.2)
        assert (hit == 1).float().mean().item() == pytest.approx(density / 2, rel=0.2)


@pytest.mark.parametrize("kind", ("gaussian_blur", "lens_blur", "motion_blur"))
def test_blur_keeps_a_points_light_and_spreads_it_as_far_as_the_table_says(kind) -> None:
    point = torch.zeros(1, 3, 65, 65)
    point[..., 32, 32] = 1
    # Standard deviation along both axes together: a Gaussian's is σ√2, a disc's r/√2, a line's length/√12.
    spread_of = {"gaussian_blur": math.sqrt(2), "lens_blur": math.sqrt(0.5), "motion_blur": math.sqrt(1 / 12)}
    offset = torch.arange(65) - 32.0
    squared_radius = offset[:, None] ** 2 + offset**2
    for level in (3, 4, 5):
        blurred = degrade(point, kind, level, 1)[0, 0]
        assert blurred.sum().item() == pytest.approx(1, abs=1e-3)
        spread = (blurred * squared_radius).sum().sqrt().item()
        value = DEGRADATIONS[kind].levels[level - 1]
        assert spread == pytest.approx(spread_of[kind] * value, rel=0.12)


def test_a_grey_photo_has_no_saturation_to_lose_or_gain(photos) -> None:
    grey = photos.mean(dim=1, keepdim=True).expand_as(photos).contiguous()
    for kind in ("saturation_hsv", "saturation_lab", "colour_diffusion"):
        assert torch.allclose(degrade(grey, kind, 5, 0), grey, atol=0.01)


def test_no_saturation_is_grey(photos) -> None:
    level_without_colour = DEGRADATIONS["saturation_hsv"].levels.index(0) + 1
    result = degrade(photos, "saturation_hsv", level_without_colour, 0)
    assert (result.amax(dim=1) - result.amin(dim=1)).max() < 1e-5


def test_brightness_kinds_move_the_mean_one_way(photos) -> None:
    clean = photos.mean()
    for kind, sign in (("brighten", 1), ("mean_shift", 1), ("darken", -1)):
        means = torch.stack([clean] + [degrade(photos, kind, level, 0).mean() for level in LEVELS])
        assert (sign * means.diff() > 0).all()


def test_contrast_kinds_move_the_deviation_one_way(photos) -> None:
    for kind, sign in (("linear_contrast", 1), ("nonlinear_contrast", -1)):
        deviations = torch.stack([photos.std()] + [degrade(photos, kind, level, 0).std() for level in LEVELS])
        assert (sign * deviations.diff() > 0).all()


def test_quantization_leaves_as_many_values_as_the_table_says() -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64).contiguous()
    for level, values in zip(LEVELS, DEGRADATIONS["quantization"].levels):
        assert len(degrade(ramp, "quantization", level, 0).unique()) == values


def test_an_unknown_kind_names_the_kinds_that_exist(photos) -> None:
    with pytest.raises(ValueError, match="fog") as caught:
        degrade(photos, "fog", 1, 0)
    assert all(kind in str(caught.value) for kind in KINDS)


@pytest.mark.parametrize("level", (0, 6, -1))
def test_a_level_outside_one_to_five_is_refused(level, photos) -> None:
    with pytest.raises(ValueError, match=r"1 \(mildest\) to 5"):
        degrade(photos, "jpeg", level, 0)


@pytest.mark.parametrize("level", (1.5, "3", True, None))
def test_a_level_that_is_no_integer_is_refused(level, photos) -> None:
    with pytest.raises(TypeError, match="level"):
        degrade(photos, "jpeg", level, 0)


@pytest.mark.parametrize("seed", (0.5, "7", None, [1, 2, 3.0]))
def test_a_seed_that_is_no_integer_is_refused(seed, photos) -> None:
    with pytest.raises(TypeError, match="seed"):
        degrade(photos, "white_noise", 1, seed)


def test_as_many_seeds_as_photos_are_needed(photos) -> None:
    with pytest.raises(ValueError, match="2 seeds for 3 images"):
        degrade(photos, "white_noise", 1, [1, 2])


@pytest.mark.parametrize(
    "shape", ((3, 64, 64), (1, 1, 64, 64), (1, 4, 64, 64), (0, 3, 64, 64), (1, 3, 31, 64), (1, 64, 64, 3))
)
def test_a_wrong_shape_is_refused(shape) -> None:
    with pytest.raises(ValueError, match="images"):
        degrade(torch.zeros(shape), "jpeg", 1, 0)


def test_a_wrong_type_is_refused(photos) -> None:
    for wrong in (photos.double(), (photos * 255).byte(), photos.half()):
        with pytest.raises(TypeError, match="float32"):
            degrade(wrong, "jpeg", 1, 0)
    with pytest.raises(TypeError, match="ndarray"):
        degrade(photos.numpy(), "jpeg", 1, 0)


@pytest.mark.parametrize("value", (255.0, -0.01, 1.01, math.nan, math.inf))
def test_a_value_outside_the_unit_range_is_refused(value) -> None:
    images = torch.full((1, 3, 32, 32), 0.5)
    images[0, 1, 3, 4] = value
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        degrade(images, "jpeg", 1, 0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_gives_the_photo_that_the_cpu_gives(kind, photos) -> None:
    on_gpu = degrade(photos.cuda(), kind, 4, 3)
    assert on_gpu.is_cuda
    # A value on the edge of a rounding step may fall to either side: compare all but the rarest pixels.
    difference = (on_gpu.cpu() - degrade(photos, kind, 4, 3)).abs()
    assert (difference > 1e-3).float().mean() < 1e-3
