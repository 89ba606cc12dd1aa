"""The one training loop: resumable to the bit, on one process or several, on a CPU or on GPUs.

A stage is an ``Objective``: it knows its photos and its losses. The loop knows steps, rates, checkpoints and
progress. A run that breaks off at any step and is started again ends with the weights of a run that did not: the
checkpoint holds weights, their moving average, the optimizer, the sampler and every random state. Numbers that are no
numbers stop it before they are saved.
"""

from __future__ import annotations

import math
import random
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from distill.training.batches import batches
from distill.training.distributed import Process
from distill.training.run_folder import RunError, RunFolder, TrainingStopped
from distill.training.source_sampler import SourceSampler

_GPU_WORKERS = 8


@dataclass(frozen=True)
class TrainerConfig:
    """How long and how fast.

    Attributes:
        steps: optimizer steps; 0 skips the stage.
        batch: photos a step, over all processes.
        rate: AdamW's learning rate at its highest; it rises over a tenth of the steps and falls along a cosine.
        weight_decay: AdamW's.
        average: share of the moving average of weights that a step keeps (0.999, say); 0 for none.
        every: steps between checkpoints and validations.
        workers: processes that decode photos ahead of the step; by default 8 on a GPU and none on a CPU.
    """

    steps: int = 1000
    batch: int = 8
    rate: float = 1e-5
    weight_decay: float = 0.01
    average: float = 0.0
    every: int = 100
    workers: int | None = None


class Objective(nn.Module):
    """What a stage trains; the module's trainable parameters are what is learnt and saved."""

    @abstractmethod
    def groups(self) -> list[list[int]]:
        """The rows of each source; a batch never mixes two."""

    @abstractmethod
    def load(self, rows: list[int], seed: int) -> dict[str, torch.Tensor]:
        """One batch on the CPU; ``seed`` decides all that is random in it."""

    @abstractmethod
    def forward(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Named losses of a batch, each with its weight; their sum is minimized."""

    def parameter_groups(self, rate: float) -> list[dict[str, object]]:
        """For AdamW; one rate for all unless a stage says otherwise."""
        return [{"params": [parameter for parameter in self.parameters() if parameter.requires_grad], "lr": rate}]

    def validate(self) -> dict[str, float]:
        """Figures on photos that are held out."""
        return {}


def train(objective: Objective, config: TrainerConfig, run: RunFolder, seed: int, process: Process) -> None:
    """Train ``objective`` in place, going on from the run's checkpoint where there is one.

    On CUDA the forward pass is autocast to bfloat16, which needs no loss scaling, where the GPU has it.

    Raises:
        RunError: the run's checkpoint is damaged, of another network or of another number of processes.
        TrainingStopped: a loss or a weight is no longer finite, or the run's folder cannot be written any more.
    """
    objective.to(process.device)
    parallel = DistributedDataParallel(objective, find_unused_parameters=True) if process.world > 1 else objective
    optimizer = torch.optim.AdamW(objective.parameter_groups(config.rate), weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _share_of_rate(step, config.steps))
    sampler = SourceSampler(objective.groups(), config.batch, seed, process.rank, process.world)
    learnt = {name: parameter for name, parameter in objective.named_parameters() if parameter.requires_grad}
    average = {name: parameter.detach().clone() for name, parameter in learnt.items()} if config.average else {}
    _seed(seed + process.rank)

    start = 0
    if (state := run.load_checkpoint()) is not None:
        _check_fit(state, learnt, process, run)
        start = state["step"]
        with torch.no_grad():
            for name, parameter in learnt.items():
                parameter.copy_(state["weights"][name])
            for name, tensor in average.items():
                tensor.copy_(state["average"][name])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        sampler.load_state_dict(state["sampler"])
        _set_random_state(state["random"][process.rank])
    if process.rank == 0:
        run.forget_after(start)

    on_gpu = process.device.type == "cuda"
    workers = config.workers if config.workers is not None else _GPU_WORKERS if on_gpu else 0
    half = on_gpu and torch.cuda.is_bf16_supported()
    steps = range(start, config.steps)
    bar = tqdm(steps, initial=start, total=config.steps, disable=process.rank > 0, desc=run.folder.name)
    loaded = batches(objective.load, sampler, steps, seed, workers, pin=on_gpu)
    for step, (batch, drawn) in zip(bar, loaded):
        batch = {name: tensor.to(process.device, non_blocking=True) for name, tensor in batch.items()}
        objective.train()
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(process.device.type, torch.bfloat16, enabled=half):
            losses = parallel(batch)
        loss = sum(losses.values())
        _check_finite(losses, step + 1, run)
        loss.backward()
        optimizer.step()
        schedule.step()
        for name, tensor in average.items():
            tensor.lerp_(learnt[name].detach(), 1 - config.average)
        done = step + 1
        if process.rank == 0:
            metrics = {name: value.item() for name, value in losses.items()}
            run.log(done, {"loss": loss.item(), **metrics})
            bar.set_postfix_str(f"loss {loss.item():.4f}")
        if done % config.every == 0 or done == config.steps:
            # A large gradient may spoil the weights of a step whose losses were sound.
            _check_finite(learnt, done, run)
            if process.rank == 0:
                objective.eval()
                run.log(done, objective.validate())
            states = process.gather(_random_state())
            if process.rank == 0:
                weights = {name: parameter.detach().cpu() for name, parameter in learnt.items()}
                parts = {"optimizer": optimizer, "schedule": schedule}
                run.save_checkpoint(
                    {"step": done, "weights": weights, "average": average, "random": states, "sampler": drawn}
                    | {name: part.state_dict() for name, part in parts.items()}
                )
                run.draw_curves()
    with torch.no_grad():
        for name, tensor in average.items():
            learnt[name].copy_(tensor)
    objective.eval()


def _share_of_rate(step: int, steps: int) -> float:
    warmup = max(1, steps // 10)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _check_finite(tensors: dict[str, torch.Tensor], step: int, run: RunFolder) -> None:
    spoilt = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if spoilt:
        raise TrainingStopped(
            f"{run.folder}, step {step}: {', '.join(spoilt[:5])} {'is' if len(spoilt) == 1 else 'are'} not finite. "
            "Nothing of this step is kept and the last checkpoint is whole; the same command would come to the same "
            "step: give a smaller rate and another --run"
        )


def _check_fit(state: dict[str, object], learnt: dict[str, torch.Tensor], process: Process, run: RunFolder) -> None:
    shapes = {name: tensor.shape for name, tensor in learnt.items()}
    if {name: tensor.shape for name, tensor in state.get("weights", {}).items()} != shapes:
        raise RunError(f"{run.folder}/checkpoint.pt holds another network; give another --run, or delete the file")
    if len(state["random"]) != process.world:
        raise RunError(
            f"{run.folder}/checkpoint.pt was saved by {len(state['random'])} processes and cannot go on with "
            f"{process.world}: start as many, or give another --run"
        )


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _random_state() -> dict[str, object]:
    kind, keys, *rest = np.random.get_state()
    return {
        "python": random.getstate(),
        "numpy": (kind, torch.from_numpy(keys.astype(np.int64)), *rest),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    }


def _set_random_state(state: dict[str, object]) -> None:
    random.setstate(state["python"])
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
