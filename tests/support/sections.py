"""Small sections of work, for tests of blocks and ledgers."""

from dataclasses import replace

import infodis_stats as ids
from estimators import Cell, Draw, estimator, make_targets
from infodis_stats.execution import Section

LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
TOKENS = LAW.sample(5, 6, seed=1)


def keep(one: Draw):
    return {"mean": one.estimates.mean()}


def section(names=("time-free", "chain"), passes=(4, 8), tokens=TOKENS, **changes):
    targets = make_targets(tokens, changes.pop("context", None), changes.pop("names", None))
    replicates = changes.pop("replicates", 3)
    cells = [Cell(estimator(name), one, count, replicates) for name in names for count in passes for one in targets]
    return replace(Section("draws", LAW, cells, 0, {"mean": ()}, keep), **changes)
