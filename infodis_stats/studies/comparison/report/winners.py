"""The best estimator of a group at the largest number of passes, and those that are not significantly different."""

from typing import NamedTuple

import numpy as np

from infodis_stats import analysis
from infodis_stats.studies.view import Study

__all__ = ["Winner", "winner_of"]

UNTRUSTED = ("infinite-variance", "biased")
FEWEST = 6  # replicates, to choose on one half and compare on the other


class Winner(NamedTuple):
    """The estimator of least variance that is not exact (empty if there is none), its ties, and the exact ones.

    Estimators that are biased or of infinite variance by construction are in none of them.
    """

    name: str
    tied: tuple[str, ...]
    exact: tuple[str, ...]


def winner_of(study: Study, group: str) -> Winner:
    """Return the best estimator of a group at the largest number of passes.

    The best is chosen on one half of the replicates and compared with the others on the other half, as in a study of
    the frontier (see `infodis_stats.analysis.selection.regret`); with fewer than 6 replicates no tie is known.
    """
    last = study.summary.sel(group=group).isel(passes=-1)
    names = last["estimator"].values.tolist()
    sound = ~last["cautions"].sel(caution=list(UNTRUSTED)).any("caution").values
    efficiency = last["efficiency"].values
    exact = tuple(name for name, infinite in zip(names, np.isposinf(efficiency) & sound, strict=True) if infinite)
    candidates = sound & np.isfinite(efficiency)
    if not candidates.any():
        return Winner("", (), exact)
    best = int(np.where(candidates, efficiency, -np.inf).argmax())
    return Winner(names[best], _ties(study, group, candidates, best), exact)


def _ties(study: Study, group: str, candidates: np.ndarray, best: int) -> tuple[str, ...]:
    """Name the candidates whose variance is not significantly different from that of the best."""
    draws = study.draws["estimate"].isel(passes=-1)
    if draws.sizes["replicate"] < FEWEST:
        return ()
    members = draws.isel(item=(draws["group"] == group).values).transpose("estimator", "item", "replicate")
    tied = analysis.regret(members.values, candidates, study.summary.attrs["ci_prob"]).tied
    names = members["estimator"].values.tolist()
    return tuple(name for row, name in enumerate(names) if tied[row] and row != best)
