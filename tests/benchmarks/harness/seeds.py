"""What several seeds say about one way to count, against the winners of a reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

if TYPE_CHECKING:
    from tests.benchmarks.harness.runs import Run

KNOWN = 0.01  # p-value up to which the winner of the reference is known

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """A number and its standard error."""

    value: float
    error: float = float("nan")


@dataclass(frozen=True)
class Share:
    """A share of cases, with Wilson's interval at 95 %."""

    hits: int
    cases: int

    @property
    def value(self) -> float:
        return self.hits / self.cases if self.cases else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        if not self.cases:
            return float("nan"), float("nan")
        lower, upper = proportion_confint(self.hits, self.cases, method="wilson")
        return float(lower), float(upper)


@dataclass(frozen=True, eq=False)
class Seeds:
    """Runs of one task by one score: arrays over (seed, question), and over seeds."""

    leader: NDArray[np.int64]
    right: NDArray[np.bool_]
    settled: NDArray[np.bool_]
    passes: FloatArray  # for each choice, over seeds
    stderr: FloatArray
    mask_stderr: FloatArray
    flips: FloatArray

    @classmethod
    def of(cls, runs: "Sequence[Run]", task: str, score: str) -> "Seeds":
        parts = [run.tasks[task].sel(score=score) for run in runs]
        own = [run.results[task] for run in runs]

        def stacked(name: str) -> NDArray[np.generic]:
            return np.array([part[name].values for part in parts])

        def printed(name: str) -> FloatArray:
            values = [each[f"{score}_{name},none"] for each in own]
            return np.array([value if isinstance(value, float) else np.nan for value in values])  # or "N/A"

        return cls(
            stacked("leader").astype(np.int64),
            stacked("right").astype(bool),
            stacked("settled").astype(bool),
            np.array([float(part["forward_passes"].clip(min=0).sum() / part["choices"].sum()) for part in parts]),
            printed("stderr"),
            printed("mask_stderr"),
            printed("mask_flips"),
        )

    @property
    def accuracy(self) -> FloatArray:
        return self.right.mean(axis=1)


def spread(right: NDArray[np.bool_]) -> Measured:
    """Return the standard deviation over seeds of the share of right answers, from (seed, question).

    Questions have independent masks, so their variances add up, which is steadier than the variance of a few shares.
    The standard error takes the questions' own variances as independent and no less noisy than their squares say.
    """
    variances = right.var(axis=0, ddof=1)
    count = right.shape[1]
    deviation = float(np.sqrt(variances.sum())) / count
    if deviation == 0.0:
        return Measured(0.0, 0.0)
    return Measured(deviation, float(np.sqrt((variances**2).sum())) / count**2 / (2 * deviation))


def wrong_rates(leader: NDArray[np.int64], winner: NDArray[np.int64], known: NDArray[np.bool_]) -> FloatArray:
    """Return how often a winner is not that of the reference, for each question of which that is known."""
    return np.asarray((leader != winner)[:, known].mean(axis=0))


def mean_over_questions(rates: FloatArray) -> Measured:
    """Return a mean over questions and its standard error: seeds of one question are not independent."""
    return Measured(float(rates.mean()), float(rates.std(ddof=1) / np.sqrt(len(rates))))


def settled_right(seeds: Seeds, winner: NDArray[np.int64], known: NDArray[np.bool_]) -> Share:
    """Return how many settled winners are those of the reference, where these are known."""
    settled = seeds.settled & known
    return Share(int((settled & (seeds.leader == winner)).sum()), int(settled.sum()))


def passes_at(rate: float, passes: Sequence[float], rates: Sequence[float]) -> float:
    """Return the passes at which a falling rate has a value, straight between logarithms of passes.

    Infinite where it is never as low; the fewest passes where it always is.
    """
    low = [index for index, each in enumerate(rates) if each <= rate]
    if not low:
        return float("inf")
    first = low[0]
    if first == 0:
        return float(passes[0])
    above, below = rates[first - 1], rates[first]
    part = (above - rate) / (above - below)
    return float(np.exp(np.log(passes[first - 1]) * (1 - part) + np.log(passes[first]) * part))


def resampled_passes_at(
    baseline: FloatArray, passes: Sequence[float], rates: Sequence[FloatArray], draws: int = 2000
) -> tuple[float, float]:
    """Return the 95 % interval of `passes_at` the mean of a baseline, by the bootstrap over questions."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(draws):
        chosen = rng.integers(len(baseline), size=len(baseline))
        found.append(passes_at(float(baseline[chosen].mean()), passes, [float(each[chosen].mean()) for each in rates]))
    lower, upper = np.quantile(found, [0.025, 0.975], method="inverted_cdf")
    return float(lower), float(upper)


def reference_of(run: "Run", task: str, score: str) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the winners of a reference, whether each is known, and whether it is right."""
    part: xr.Dataset = run.tasks[task].sel(score=score)
    return part["leader"].values, part["p_value"].values <= KNOWN, part["right"].values.astype(bool)
