"""Blocks: consecutive cells of the same sampler that are drawn together and stored in one file."""

import hashlib
import itertools
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from estimators import Cell, Pair, Sampler, Target
from estimators.evaluate import Progress
from estimators.streams import root_seed
from infodis_stats.estimates.settings import Execution
from infodis_stats.execution.section import Columns, Section
from infodis_stats.laws import Law
from infodis_stats.results.code_digest import code_digest
from infodis_stats.results.provenance import arithmetic_digest, model_fingerprint, versions

__all__ = ["Block", "blocks_of"]

LAW_PASSES, NETWORK_PASSES = 2**16, 2**12  # planned per block: seconds of work, the most that a kill loses


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive cells of a section.

    Attributes
    ----------
    section : Section
    part : slice
        The cells, as a slice of those of the section.
    passes : int
        Planned forward passes.
    key : str
        Digest of everything that the numbers depend on: blocks with equal keys have equal numbers.
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
        """Draw the cells in separate batches, so that the numbers do not depend on where and when this is done."""
        section, execution = self.section, Execution(batch_size, device, progress)
        draws = execution.draw(section.model, section.cells[self.part], section.seed, keep_failed=section.may_fail)
        return Columns.of(section, draws)


def blocks_of(section: Section, device: torch.device | str) -> list[Block]:
    """Divide a section into blocks.

    All cells of a block have the same sampler and number of passes, so adding an estimator to a study adds blocks and
    leaves the others unchanged.
    """
    most = LAW_PASSES if isinstance(section.model, Law) else NETWORK_PASSES
    common = hashlib.sha256(_common(section, device).encode())
    items: dict[int, bytes] = {}
    blocks, start = [], 0
    for kind, group in itertools.groupby(section.cells, key=_kind):
        sampler, *numbers, planned = kind
        while cells := list(itertools.islice(group, max(1, most // planned))):
            digest = common.copy()
            digest.update(json.dumps([sampler.name, *numbers]).encode())
            for cell in cells:
                if id(cell.item) not in items:
                    items[id(cell.item)] = _item_digest(cell.item)
                digest.update(items[id(cell.item)])
            stop = start + len(cells)
            blocks.append(Block(section, slice(start, stop), planned * len(cells), digest.hexdigest()))
            start = stop
    return blocks


def _kind(cell: Cell) -> tuple[Sampler[Any], int, int, int, int]:
    return cell.sampler, cell.passes, cell.replicates, cell.first, cell.planned_passes


def _common(section: Section, device: torch.device | str) -> str:
    seed = root_seed(section.seed)
    return json.dumps(
        [
            code_digest(getattr(section.keep, "func", section.keep).__module__),  # func: of a partial
            versions(),
            model_fingerprint(section.model),
            arithmetic_digest()
            if isinstance(section.model, Law)
            else "",  # the rounding of a network's dtype is coarser than that
            torch.device(device).type,
            [str(seed.entropy), seed.spawn_key],
            section.name,
            section.setting,
            section.may_fail,
            section.dtype.descr,
        ]
    )


def _item_digest(item: Target | Pair) -> bytes:
    """Digest the key, on which random numbers depend, and the tokens and blocks, which the key may not determine."""
    digest = hashlib.sha256(item.key.encode())
    for side in item.sides:
        digest.update(
            np.concatenate([[side.tokens.size, side.length], side.tokens, side.scored, side.blocks])
            .astype("<i8")
            .tobytes()
        )
    return digest.digest()
