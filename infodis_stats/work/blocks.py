"""Blocks: runs of cells of one sampler that are drawn together and stored together."""

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from estimators import Cell, Pair, Target, draw
from estimators.evaluate import Progress
from estimators.streams import root_seed
from infodis_stats.estimates.request import rows_a_call
from infodis_stats.oracles import Law
from infodis_stats.provenance import code_digest, model_fingerprint, versions
from infodis_stats.work.section import Columns, Section

__all__ = ["Block", "blocks_of"]

LAW_PASSES, NETWORK_PASSES = 2**16, 2**12  # planned in a block: seconds of work, so that no kill costs more


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive cells of a section.

    Attributes
    ----------
    section : Section
    part : slice
        Which of its cells.
    passes : int
        Planned for them.
    key : str
        A digest of all that their numbers hang on: equal keys, equal numbers.
    """

    section: Section
    part: slice
    passes: int
    key: str

    def __len__(self) -> int:
        """Return the number of cells."""
        return int(self.part.stop - self.part.start)

    def compute(
        self, *, batch_size: int | None, device: torch.device | str, progress: Progress | None = None
    ) -> Columns:
        """Draw the cells, in batches of their own: the numbers are the same whoever does it, and when."""
        one = self.section
        rows = rows_a_call(one.model, batch_size)
        draws = draw(
            one.model,
            one.cells[self.part],
            one.seed,
            batch_size=rows,
            device=device,
            progress=progress,
            keep_failed=one.may_fail,
        )
        return Columns.of(one, draws)


def blocks_of(section: Section, device: torch.device | str) -> list[Block]:
    """Cut a section into blocks.

    A block has cells of one sampler and one number of passes, so that a study with another estimator more has the same
    blocks and some more.
    """
    most = LAW_PASSES if isinstance(section.model, Law) else NETWORK_PASSES
    common = hashlib.sha256(_common(section, device).encode())
    items: dict[int, bytes] = {}
    found = []
    for start, stop in _cuts(section, most):
        digest = common.copy()
        passes = 0
        for cell in section.cells[start:stop]:
            item = items.setdefault(id(cell.item), b"") or _item_digest(cell.item)
            items[id(cell.item)] = item
            digest.update(_cell(cell).encode() + item)
            passes += cell.planned_passes
        found.append(Block(section, slice(start, stop), passes, digest.hexdigest()))
    return found


def _cuts(section: Section, most: int) -> Iterator[tuple[int, int]]:
    """Yield where blocks start and stop."""
    start, passes = 0, 0
    for stop, (last, cell) in enumerate(itertools.pairwise(section.cells), 1):
        passes += last.planned_passes
        alike = (last.sampler, last.passes, last.replicates) == (cell.sampler, cell.passes, cell.replicates)
        if not alike or passes + cell.planned_passes > most:
            yield start, stop
            start, passes = stop, 0
    if section.cells:
        yield start, len(section.cells)


def _common(section: Section, device: torch.device | str) -> str:
    seed = root_seed(section.seed)
    return json.dumps(
        [
            code_digest(),
            versions(),
            model_fingerprint(section.model),
            torch.device(device).type,
            [str(seed.entropy), seed.spawn_key],
            section.name,
            section.setting,
            section.dtype.descr,
        ]
    )


def _cell(cell: Cell) -> str:
    return json.dumps([cell.sampler.name, cell.item.key, cell.passes, cell.replicates, cell.first])


def _item_digest(item: Target | Pair) -> bytes:
    """Digest what is scored: a key may be a name that says nothing of it."""
    digest = hashlib.sha256()
    for side in item.sides:
        digest.update(np.array([len(side.tokens), *side.tokens, len(side.scored), *side.scored], "<i8").tobytes())
    return digest.digest()
