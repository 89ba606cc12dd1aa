"""Every flag of ``python -m distill teacher``, ``trunk`` and ``student`` changes something.

A flag is a field of a configuration. Each configuration has a probe: what its owner makes of it, at a small size. A
field without a probe, or whose probe does not see it, fails.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import numpy as np
import pytest
import torch
from PIL import Image
from pocketiqa.preprocess import PreprocessSpec
from tiny_towers import tiny_towers
from torch import nn
from trained_line import Line

from distill.data.mos_sets import MosSet, read_own_photos, split_by_hash
from distill.data.photo_pool import PhotoPool
from distill.heads.attributes import AttributesConfig, fit_attributes
from distill.heads.hidden_units import HiddenUnitsConfig, fit_hidden_units
from distill.heads.projection import ProjectionConfig, fit_projection
from distill.networks.student import INPUT_SPEC, WIDTH, Heads, Student
from distill.stages import train_student as student_module
from distill.stages import train_teacher as teacher_module
from distill.stages import train_trunk as trunk_module
from distill.stages.alignment import AlignmentConfig, AlignmentStage
from distill.stages.distil import DistilConfig, distil
from distill.stages.distillation import DistillationConfig, DistillationStage
from distill.stages.lesson import Lesson
from distill.stages.live_distillation import LiveConfig, LiveDistillation
from distill.stages.opinions import OpinionConfig, OpinionStage
from distill.stages.train_student import StudentConfig, train_student
from distill.stages.train_teacher import TeacherRunConfig, train_teacher
from distill.stages.train_trunk import TrunkConfig, train_trunk
from distill.stages.tune_tower import LinearScore, TowerConfig, tune
from distill.teacher import load as load_module
from distill.teacher.any_resolution import accept_any_resolution
from distill.teacher.clip_features import BlockStatistics
from distill.teacher.pool_features import features_of_pool
from distill.teacher.teacher import Teacher, TeacherConfig
from distill.training.distributed import this_process
from distill.training.features import LadderFeatures, ScoredFeatures
from distill.training.labels import write_labels
from distill.training.run_folder import RunFolder
from distill.training.trainer import TrainerConfig, train

Config = Any
FEW_STEPS = TrainerConfig(steps=2, batch=4, rate=1e-3, every=2)


def configs_of(config: type) -> Iterator[type]:
    """A configuration's type, and those of its fields."""
    yield config
    for kind in get_type_hints(config).values():
        if is_dataclass(kind):
            yield from configs_of(kind)


COMMANDS = (TeacherRunConfig, TrunkConfig, StudentConfig)
FLAGS = sorted(
    {(config, field.name) for command in COMMANDS for config in configs_of(command)
     for field in fields(config) if not is_dataclass(get_type_hints(config)[field.name])},
    key=str,
)  # fmt: skip


class World:
    """Photos, features and a teacher that is small enough, for every probe."""

    def __init__(self, folder: Path, photos: dict[str, np.ndarray]) -> None:
        self.folder, self.runs, self.another = folder, 0, folder / "another teacher"
        self.pristine, self.scored, self.other = (folder / name for name in ("pristine", "scored", "other"))
        draw = np.random.default_rng(0)
        pictures = list(photos.values())
        # Names that the tenth by hash holds out, and names that it does not.
        names = [f"{number}.png" for number in range(400)]
        held_out = split_by_hash([Path(name) for name in names], 0.1)
        learnt, kept = ([name for name, out in zip(names, held_out) if bool(out) is side] for side in (False, True))
        few, many = learnt[:4] + kept[:4], learnt[:6] + kept[:6]
        for place, chosen in ((self.pristine, learnt[:2]), (self.scored, many), (self.other, few)):
            place.mkdir()
            lines = ["name,score,source"]
            for number, name in enumerate(chosen):
                top, left = draw.integers(0, 100, 2)
                Image.fromarray(pictures[number % len(pictures)][top : top + 80, left : left + 100]).save(place / name)
                lines.append(f"{name},{draw.random():.3f},{'ab'[number % 2]}")
            (place / "scores.csv").write_text("\n".join(lines))
        self.mos_set = MosSet("own", [self.scored / name for name in many], draw.random(12), np.array(["a", "b"] * 6))
        generator = torch.Generator().manual_seed(0)
        features = torch.randn(60, 12, generator=generator)
        self.features = ScoredFeatures(features, torch.sigmoid(features[:, 0]), np.array(["a", "b"] * 30))
        copies = torch.randn(48, 12, generator=generator)
        pairs = torch.tensor([(row - 1, row) for row in range(48) if row % 6])
        self.ladders = LadderFeatures(copies, torch.rand(48, 6, generator=generator), pairs)
        self.text = nn.functional.normalize(torch.randn(31, 32, generator=generator), dim=1)

    def run(self) -> Path:
        """A new folder."""
        self.runs += 1
        return self.folder / f"run {self.runs}"

    def teacher(self, config: TeacherConfig) -> Teacher:
        """Tiny towers, whatever the name."""
        return Teacher(tiny_towers("resnet"), config).eval()

    def tower(self) -> BlockStatistics:
        """One block in the place of CLIP's twelve."""
        visual = tiny_towers("vit").model.visual
        accept_any_resolution(visual)
        return BlockStatistics(visual, blocks=(1,)).requires_grad_(False).eval()

    def pool(self) -> tuple[PhotoPool, MosSet]:
        """Four photos, each with a copy of level 3 behind it, and their scores."""
        mos_set = self.mos_set.take(np.arange(12) < 4)
        pixels = torch.randint(256, (8, 3, 512, 512), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
        return PhotoPool(pixels, [0, 3] * 4, [path.name for path in mos_set.paths for _ in range(2)]), mos_set

    def lesson(self) -> Lesson:
        """Four scored photos and a ladder of four, seen at 64×64 twice."""
        generator = torch.Generator().manual_seed(1)
        views = torch.rand(8, 2, 3, 64, 64, generator=generator)
        embedding = nn.functional.normalize(torch.randn(8, 32, generator=generator), dim=1)
        return Lesson(
            views=lambda row: views[row].numpy(),
            windows=lambda row, side, random: views[row, ..., :side, :side].numpy(),
            features=torch.rand(8, 2 * WIDTH, generator=generator),
            embedding=embedding,
            mos=torch.tensor([0.1, 0.4, 0.6, 0.9, *[torch.nan] * 4]),
            attributes=torch.rand(8, 6, generator=generator),
            kinds=torch.tensor([-1] * 4 + [0, 1, 2, 3]),
            ladders=[[4, 5, 6, 7]],
            sources=np.array(["a"] * 4 + ["ladders"] * 4),
            held_out=np.zeros(8, dtype=bool),
            teacher_features=torch.rand(8, 16, generator=generator),
        )


class HeadsAlone(nn.Module):
    """In the place of a student: what ``train_student`` fits, without the trunk."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = Heads()
        for parameter in self.parameters():
            nn.init.zeros_(parameter)


class FewLayers(nn.Module):
    """In the place of a student whose trunk learns: 320×320 pixels in a few products."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.ModuleDict({
            "stem": nn.Conv2d(3, 4, 32, 32), "stages": nn.Sequential(nn.Conv2d(4, 8, 1), nn.Conv2d(8, 8, 1)),
        })  # fmt: skip

    def features(self, views: torch.Tensor) -> torch.Tensor:
        return self.trunk.stages(self.trunk.stem(views)).mean((2, 3))


class TrunkOfHeads:
    """In the place of a trained trunk's run."""

    record: ClassVar[dict[str, object]] = {}

    def student(self) -> HeadsAlone:
        return HeadsAlone()

    def scores(self, mos_set: MosSet) -> torch.Tensor:
        return torch.linspace(1, 0, len(mos_set))


class Pooled:
    """In the place of a frozen trunk: a photo's pixels, projected at random."""

    def __init__(self, network: nn.Module, spec: PreprocessSpec) -> None:
        self.input, self.fingerprint = spec, "pooled"
        self._to = np.random.default_rng(0).normal(size=(2 * 3 * 16, 2 * WIDTH)).astype(np.float32)

    def __call__(self, views: np.ndarray) -> np.ndarray:
        small = nn.functional.adaptive_avg_pool2d(torch.from_numpy(views), 4).numpy().ravel()
        return small @ self._to


def of_attributes(world: World, config: AttributesConfig) -> object:
    return fit_attributes(world.ladders, world.features.features, config)


def of_hidden_units(world: World, config: HiddenUnitsConfig) -> object:
    return fit_hidden_units(world.features, world.ladders, config, seed=0)


def of_projection(world: World, config: ProjectionConfig) -> object:
    return fit_projection(world.features, world.ladders, 2, world.text, "both", config)


def of_trainer(world: World, config: TrainerConfig) -> object:
    class Watched(Line):
        elsewhere = False

        def load(self, rows: list[int], seed: int) -> dict[str, torch.Tensor]:
            return super().load(rows, seed) | {"process": torch.tensor(os.getpid())}

        def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            self.elsewhere = self.elsewhere or batch.pop("process").item() != os.getpid()
            return super().forward(batch)

    line, run = Watched(), world.run()
    with this_process() as process:
        train(line, config, RunFolder(run, {}), seed=0, process=process)
    return [*line.state_dict().values(), (run / "metrics.csv").read_text(), line.elsewhere]


def of_alignment(world: World, config: AlignmentConfig) -> object:
    stage = AlignmentStage(world.teacher(TeacherConfig()), sorted(world.pristine.glob("*.png")), config)
    batch = stage.load([0, 1], seed=0)
    assert (batch["attribute"] >= 0).any()
    return [batch["images"], *stage(batch).values()]


def of_opinions(world: World, config: OpinionConfig) -> object:
    stage = OpinionStage(world.teacher(TeacherConfig()), [world.mos_set], config)
    batch = stage.load([0, 2, 4], seed=0)
    return [batch["images"], *stage(batch).values(), *stage.validate().values()]


def of_teacher(world: World, config: TeacherConfig) -> object:
    named = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_module, "load_clip", lambda name: named.append(name) or tiny_towers("resnet"))
        torch.manual_seed(0)
        teacher = load_module.load_teacher(config)
    with torch.no_grad():
        return [teacher(torch.ones(1, 3, 64, 64)).score, teacher.text(), *named]


def of_distillation(world: World, config: DistillationConfig) -> object:
    torch.manual_seed(0)
    stage = DistillationStage(_student(), world.lesson(), world.text, "both", config)
    with torch.no_grad():  # away from the start, to which one term draws it
        stage.student.trunk.stem[0].weight.mul_(1.1)
        losses = [*stage(stage.load([0, 2, 3], seed=0)).values(), *stage(stage.load([4, 5, 7], seed=0)).values()]
    return [*losses, *((len(group["params"]), group["lr"]) for group in stage.parameter_groups(1.0))]


@cache
def _trunk() -> Student:
    return Student().eval()


def _student() -> Student:
    student = Student(pretrained=False)
    student.load_state_dict(_trunk().state_dict())
    return student.eval()


def of_distil(world: World, config: DistilConfig) -> object:
    student, run = _student(), world.run()
    distil(student, world.lesson(), world.text, "both", RunFolder(run, {}), 0, config)
    no_steps = replace(config, steps=replace(FEW_STEPS, steps=0))
    heads = replace(small_student(world), teacher=world.folder, distil=no_steps)
    return [student.trunk.stem[0].weight, of_student(world, heads)]


def of_tower(world: World, config: TowerConfig) -> object:
    (pool, mos_set), base, rows, run = world.pool(), world.tower(), 2 * np.arange(4), world.run()
    score = LinearScore(features_of_pool(base, pool, rows), torch.from_numpy(mos_set.mos).float())
    with pytest.MonkeyPatch.context() as patch, this_process() as process:
        patch.setattr(RunFolder, "draw_curves", lambda _: None)
        tuned = tune(base, score, pool, mos_set, rows, config, run, 0, process)
    learnt = [tensor for name, tensor in tuned.named_parameters() if name.endswith((".up", ".down"))]
    return [*learnt, (run / "metrics.csv").read_text()]


def of_live(world: World, config: LiveConfig) -> object:
    """The losses, what they are taken on, and what they reach."""
    (pool, mos_set), held_out = world.pool(), np.arange(4) == 3
    with pytest.MonkeyPatch.context() as patch, this_process() as process:
        patch.setattr(trunk_module, "clip_trunk", world.tower)
        run = TrunkConfig(run=world.run(), trunk=config)
        run.run.mkdir()
        teacher, _ = trunk_module._teach([pool], mos_set, held_out, run, process)
    stage = LiveDistillation(FewLayers(), teacher, [pool], [np.repeat(held_out, 2)], config)
    batch = stage.load([0, 2], seed=0)
    learnt = [name for name, parameter in stage.named_parameters() if parameter.requires_grad]
    with torch.no_grad():
        return [*stage(batch).values(), batch["side"], learnt]


def of_trunk(world: World, config: TrunkConfig) -> object:
    """Which copies go into the pools, what is taught, and what is trained from where."""
    seen: list[object] = []

    class Nothing(nn.Module):
        def validate(self) -> dict[str, float]:
            return {}

    def fill(copies: list[object], side: int, _: torch.device, workers: int) -> PhotoPool:
        seen.extend([*(f'{copy.photo.name}|{copy.kind}|{copy.level}|{copy.seed}' for copy in copies), side, workers])
        return PhotoPool(torch.zeros(len(copies), 3, 1, 1), [copy.level for copy in copies], [])

    def teach(pools: list[PhotoPool], mos_set: MosSet, held_out: np.ndarray, *_: object) -> tuple[None, dict]:
        seen.extend([mos_set.digest(), held_out.tolist()])
        return None, {}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trunk_module, "fill_pool", fill)
        patch.setattr(trunk_module, "_teach", teach)
        patch.setattr(trunk_module, "Student", _student)
        patch.setattr(trunk_module, "load_student", lambda file: seen.append(file) or _student())
        patch.setattr(trunk_module, "LiveDistillation", lambda *_: Nothing())
        patch.setattr(trunk_module, "train", lambda *given: seen.append(given[3]))
        patch.setattr(trunk_module, "save_tensors", lambda *_: None)
        train_trunk(config)
    return [*seen, config.run == world.another and (config.run / "trunk.json").is_file()]


def of_student(world: World, config: StudentConfig) -> object:
    """What is written where, and what was read."""
    loaded, written, trained = [], [], []

    def labels(teacher: Teacher, mos_set: MosSet, *_: object) -> torch.Tensor:
        return torch.linspace(0, 1, len(mos_set))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(student_module, "load_student", lambda _: HeadsAlone())
        patch.setattr(student_module, "load_trunk_run", lambda run: loaded.append(run) or TrunkOfHeads())
        patch.setattr(student_module, "StudentFeatures", lambda student: None)
        patch.setattr(student_module, "FrozenTrunk", Pooled)
        patch.setattr(student_module, "SHIPPED_STUDENT", world.folder / "shipped.safetensors")
        patch.setattr(student_module, "pseudo_labels", labels)
        patch.setattr(
            student_module,
            "load_trained_teacher",
            lambda run: loaded.append(run) or world.teacher(TeacherConfig()),
        )
        patch.setattr(student_module, "save_student", lambda student, record, file: written.append((student, file)))
        patch.setattr(student_module, "_distil", lambda *of: trained.append(of[-1].run) or {})
        record = train_student(config)
    ((student, file),) = written
    cache = config.cache if list(config.cache.glob("*.npy")) else None
    made = [record.get(part) for part in ("data", "validation", "trunk", "licence")]
    return [*student.state_dict().values(), file, made, loaded, trained, cache]


def of_teacher_run(world: World, config: TeacherRunConfig) -> object:
    """The trained tower, its record and folder, and what the projection was fitted to."""
    fitted = []

    def fit(
        scored: ScoredFeatures, ladders: LadderFeatures, views: int, text: torch.Tensor, *_: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        fitted.extend([scored.features, ladders.features])
        return torch.zeros(text.shape[1], scored.features.shape[1] // views), text[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teacher_module, "load_teacher", world.teacher)
        patch.setattr(teacher_module, "packaged_features", lambda _: Pooled(None, INPUT_SPEC))
        patch.setattr(teacher_module, "fit_projection", fit)
        patch.setattr(Teacher, "take_projection", lambda *_: None)
        figures = train_teacher(config)
    tower = (config.run / "teacher.safetensors").read_bytes()
    cache = config.cache if list(config.cache.glob("*.npy")) else None
    return [tower, *fitted, figures, cache, config.run == world.another and (config.run / "teacher.json").is_file()]


def small_student(world: World) -> StudentConfig:
    return StudentConfig(
        world.scored, [world.pristine], mos_set="own", run=world.folder / "students", cache=world.folder / "cache",
        hidden=HiddenUnitsConfig(steps=4, batch=8), attributes=AttributesConfig(iterations=2), kinds_per_photo=1,
    )  # fmt: skip


def labels_of(world: World) -> Path:
    """A teacher's scores of the photos that people scored, and of one more."""
    scored = read_own_photos(world.scored, "train").paths
    more = next(path for path in sorted(world.other.rglob("*.png")) if path.is_file())
    write_labels(world.folder / "labels.csv", [(path, i / len(scored)) for i, path in enumerate([*scored, more])])
    return world.folder / "labels.csv"


def small_teacher(world: World) -> TeacherRunConfig:
    return TeacherRunConfig(
        world.run(), [world.pristine], ["own"], [world.scored], cache=world.folder / "cache", kinds_per_photo=1,
        alignment=AlignmentConfig(crop=64, levels=2), alignment_steps=replace(FEW_STEPS, batch=2),
        opinions=OpinionConfig(64, 64, validation=3), opinion_steps=FEW_STEPS,
    )  # fmt: skip


def small_trunk(world: World) -> TrunkConfig:
    return TrunkConfig(world.scored, [world.pristine], mos_set="own", run=world.run(), kinds_per_photo=1, workers=0)


PROBES: dict[type, tuple[Callable[[World, Config], object], Callable[[World], Config]]] = {
    AttributesConfig: (of_attributes, lambda _: AttributesConfig(iterations=3)),
    HiddenUnitsConfig: (of_hidden_units, lambda _: HiddenUnitsConfig(steps=6, batch=16)),
    ProjectionConfig: (of_projection, lambda _: ProjectionConfig(iterations=3)),
    TrainerConfig: (of_trainer, lambda _: TrainerConfig(steps=4, batch=4, rate=0.1, average=0.5, every=2)),
    AlignmentConfig: (of_alignment, lambda _: AlignmentConfig(64, levels=2, margin_consistency=0.0)),
    OpinionConfig: (of_opinions, lambda _: OpinionConfig(64, 64, validation=2)),
    TeacherConfig: (of_teacher, lambda _: TeacherConfig()),
    DistillationConfig: (of_distillation, lambda _: DistillationConfig(features=1.0, components=3)),
    DistilConfig: (of_distil, lambda _: DistilConfig(steps=replace(FEW_STEPS, steps=1))),
    TowerConfig: (of_tower, lambda _: TowerConfig(rank=1, margin=0.3, steps=replace(FEW_STEPS, steps=1, every=1))),
    LiveConfig: (of_live, lambda _: LiveConfig(components=2, steps=FEW_STEPS)),
    TrunkConfig: (of_trunk, small_trunk),
    StudentConfig: (of_student, small_student),
    TeacherRunConfig: (of_teacher_run, small_teacher),
}
# What a flag is changed to; without a word here a number grows and a switch turns.
OTHERS: dict[tuple[type, str], Callable[[World], object]] = {
    (TrainerConfig, "workers"): lambda _: 1,
    (AlignmentConfig, "overlap"): lambda _: 0.9,
    (OpinionConfig, "validation"): lambda _: 3,
    (TeacherConfig, "model"): lambda _: "RN50:openai",
    (TeacherConfig, "scoring"): lambda _: "grades",
    (StudentConfig, "mos_folder"): lambda world: world.other,
    (StudentConfig, "pristine"): lambda world: [world.other],
    (StudentConfig, "mos_set"): lambda _: "biq2021",
    (StudentConfig, "preset"): lambda _: "smoke",
    (StudentConfig, "run"): lambda world: world.folder / "elsewhere",
    (StudentConfig, "out"): lambda world: world.folder / "out.safetensors",
    (StudentConfig, "teacher"): lambda world: world.folder,
    (StudentConfig, "trunk"): lambda world: world.folder,
    (StudentConfig, "labels"): lambda world: labels_of(world),
    (StudentConfig, "cache"): lambda world: world.folder / "another cache",
    (StudentConfig, "limit"): lambda _: 10,
    (StudentConfig, "seed"): lambda _: 1,
    (StudentConfig, "licence"): lambda _: "CC0-1.0",
    (StudentConfig, "terms"): lambda _: "BIQ2021, without a licence file",
    (TrunkConfig, "mos_folder"): lambda world: world.other,
    (TrunkConfig, "pristine"): lambda world: [world.other],
    (TrunkConfig, "photos"): lambda world: [world.other],
    (TrunkConfig, "mos_set"): lambda _: "biq2021",
    (TrunkConfig, "preset"): lambda _: "smoke",
    (TrunkConfig, "run"): lambda world: world.another,
    (TrunkConfig, "start"): lambda world: world.folder / "start.safetensors",
    (TrunkConfig, "limit"): lambda _: 10,
    (TeacherRunConfig, "run"): lambda world: world.another,
    (TeacherRunConfig, "pristine"): lambda world: [world.other],
    (TeacherRunConfig, "mos_set"): lambda _: ["biq2021"],
    (TeacherRunConfig, "mos_folder"): lambda world: [world.other],
    (TeacherRunConfig, "preset"): lambda _: "smoke",
    (DistillationConfig, "window"): lambda _: 32,
    (TeacherRunConfig, "cache"): lambda world: world.folder / "another cache",
}


def digest(outcome: object) -> str:
    """Of tensors, arrays and words, in their order."""
    total = hashlib.sha256()
    for part in outcome if isinstance(outcome, (list, tuple)) else [outcome]:
        if isinstance(part, torch.Tensor):
            total.update(str(tuple(part.shape)).encode() + part.detach().contiguous().numpy().tobytes())
        else:
            total.update(part if isinstance(part, bytes) else str(part).encode())
    return total.hexdigest()


def changed(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    return 2 * value + 0.1


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> World:
    return World(tmp_path_factory.mktemp("flags"), photos)


@pytest.fixture(scope="module")
def before(world: World) -> Callable[[type], tuple[Config, str]]:
    """A configuration to begin with, and what its probe makes of it."""

    @cache
    def of(config: type) -> tuple[Config, str]:
        probe, base = PROBES[config]
        return (start := base(world)), digest(probe(world, start))

    return of


@pytest.mark.parametrize(("config", "flag"), FLAGS, ids=[f"{config.__name__}.{flag}" for config, flag in FLAGS])
def test_every_flag_changes_something(
    config: type, flag: str, world: World, before: Callable[[type], tuple[Config, str]]
) -> None:
    start, seen = before(config)
    value = getattr(start, flag)
    other = OTHERS[config, flag](world) if (config, flag) in OTHERS else changed(value)
    assert other != value
    changes = {flag: other}
    if config in (TeacherRunConfig, TrunkConfig) and flag != "run":
        changes["run"] = world.run()
    try:
        after = digest(PROBES[config][0](world, replace(start, **changes)))
    except ValueError as refusal:  # another reader finds no such data set in the folder
        after = str(refusal)
        assert flag == "mos_set"
    assert after != seen


@pytest.mark.parametrize("config", PROBES, ids=lambda config: config.__name__)
def test_without_a_change_a_probe_gives_the_same_again(
    config: type, world: World, before: Callable[[type], tuple[Config, str]]
) -> None:
    start, seen = before(config)
    again = replace(start, run=world.run()) if config in (TeacherRunConfig, TrunkConfig) else start
    assert digest(PROBES[config][0](world, again)) == seen
