"""Which photos come in a batch: each batch from one source, so that scales never mix.

Two sources' scores are not comparable, even within one data set: a pooled batch teaches a model to tell the
sources apart.
"""

from __future__ import annotations

import torch

from distill.training.run_folder import RunError


class SourceSampler:
    """Endless batches of rows, shuffled anew each time a source is used up; a source comes as often as it has rows.

    Every process draws the same batches and takes its own part of each, so one state resumes all of them.
    """

    def __init__(self, groups: list[list[int]], batch: int, seed: int, rank: int = 0, world: int = 1) -> None:
        """Take the rows of every source.

        Args:
            groups: the rows of each source, none empty.
            batch: rows of one batch over all processes; a smaller source gives all it has.
            seed: of every draw.
            rank: of this process.
            world: number of processes.

        Raises:
            RunError: a source has fewer rows than there are processes, or a batch cannot be divided among them.
        """
        if batch % world:
            raise RunError(f"a batch of {batch} cannot be divided among {world} processes: give a multiple")
        if not groups or min(len(rows) for rows in groups) < world:
            raise RunError(f"every source needs {world} photos or more, one for each process")
        self._groups, self._batch, self._rank, self._world = groups, batch, rank, world
        self._generator = torch.Generator().manual_seed(seed)
        self._decks: list[list[int]] = [[] for _ in groups]
        self._shares = torch.tensor([float(len(rows)) for rows in groups])

    def __next__(self) -> list[int]:
        """This process's rows of the next batch."""
        source = int(torch.multinomial(self._shares, 1, generator=self._generator))
        rows = self._groups[source]
        size = min(self._batch, len(rows)) // self._world * self._world
        deck = self._decks[source]
        if len(deck) < size:
            deck[:] = [rows[place] for place in torch.randperm(len(rows), generator=self._generator).tolist()]
        drawn = [deck.pop() for _ in range(size)]
        return drawn[self._rank :: self._world]

    def state_dict(self) -> dict[str, object]:
        """All that the next batches depend on."""
        return {"generator": self._generator.get_state(), "decks": [list(deck) for deck in self._decks]}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on where ``state`` was taken."""
        self._generator.set_state(state["generator"])
        self._decks = [list(deck) for deck in state["decks"]]
