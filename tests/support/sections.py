"""Small sections of work, for tests of blocks and ledgers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

import infodis_stats as ids
from estimators import Cell, Draw, estimator, make_targets
from infodis_stats.execution import Section

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
TOKENS = LAW.sample(5, 6, seed=1)


def keep(draw: Draw) -> Mapping[str, ArrayLike]:
    """Keep the mean of the estimates."""
    return {"mean": draw.estimates.mean()}


def section(
    names: Sequence[str] = ("time-free", "chain"),
    passes: Sequence[int] = (4, 8),
    tokens: ArrayLike = TOKENS,
    **changes: Any,
) -> Section:
    """Return a section with a cell for each estimator, number of passes and target; ``changes`` replace attributes."""
    targets = make_targets(tokens, changes.pop("context", None), changes.pop("names", None))
    replicates = changes.pop("replicates", 3)
    cells = [Cell(estimator(name), one, count, replicates) for name in names for count in passes for one in targets]
    return replace(Section("draws", LAW, cells, 0, {"mean": ()}, keep), **changes)
