"""Confidence intervals by name: how the error of an estimate is told from its draw."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from estimators import (
    IID,
    Cell,
    ConditionalModel,
    Contrast,
    Draw,
    Estimator,
    Evaluation,
    InputError,
    PointEstimator,
    Regression,
    TimeFree,
)
from estimators.own_variance import OwnVariance, added
from estimators.streams import root_seed, stream
from infodis_stats import analysis

__all__ = [
    "ErrorBar",
    "IntervalKind",
    "check_interval",
    "error_bars",
    "interval_kind",
    "interval_names",
    "simultaneous_level",
    "sum_of",
]

REDRAWN = 499  # sets of masks of the design bootstrap
REDRAWN_AT_ONCE = 2**25  # weights: some hundred megabytes
FEWEST_PARTS = 8  # to tell a skewness by
ENOUGH_REPLICATES = 8


@dataclass(frozen=True)
class ErrorBar:
    """The error of one estimate, in nats.

    Attributes
    ----------
    kind : str
        Name of the interval.
    standard_error : float
    degrees : float
        Degrees of freedom of the standard error; infinite where it is known.
    lower, upper : float
        Ends of the interval.
    """

    kind: str
    standard_error: float
    degrees: float
    lower: float
    upper: float


class IntervalKind(ABC):
    """A way to tell the error of an estimate."""

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def error_bar(self, draw: Draw, level: float) -> ErrorBar:
        """Return the interval of one draw.

        Raises
        ------
        InputError
            If the draw does not tell it: what it would need.
        """


class StudentT(IntervalKind):
    """Student's t over the replicates: always valid up to skewness, whatever the passes have in common."""

    name = "student-t"
    summary = "Student's t over the replicates; needs 2, and is 1.5 times too wide with 4"

    def error_bar(self, draw: Draw, level: float) -> ErrorBar:
        """Return the interval; see `IntervalKind.error_bar`."""
        return _over_replicates(self.name, draw, analysis.student_t(_replicates(draw, self.name), level))


class Bca(IntervalKind):
    """The bias-corrected and accelerated bootstrap over the replicates."""

    name = "bca"
    summary = "BCa bootstrap over the replicates; too narrow below 32"

    def error_bar(self, draw: Draw, level: float) -> ErrorBar:
        """Return the interval; see `IntervalKind.error_bar`."""
        values = _replicates(draw, self.name)
        return _over_replicates(self.name, draw, analysis.bca(values, _own_stream(draw, self.name), level))


class Anytime(IntervalKind):
    """The confidence sequence where it has come to: valid however the number of replicates was decided."""

    name = "anytime"
    summary = "right-Haar t-mixture over the replicates; covers for all numbers of replicates at once"

    def error_bar(self, draw: Draw, level: float) -> ErrorBar:
        """Return the interval; see `IntervalKind.error_bar`."""
        running = analysis.confidence_sequence(_replicates(draw, self.name), level)
        return _over_replicates(self.name, draw, analysis.Interval(running.lower[..., -1], running.upper[..., -1]))


class DesignBootstrap(IntervalKind):
    """The hull of Student's t and a bootstrap-t that redraws the masks."""

    name = "design-bootstrap"
    summary = "hull of Student's t and a bootstrap that redraws the masks: for few hard tokens; needs 2 replicates"

    def error_bar(self, draw: Draw, level: float) -> ErrorBar:
        """Return the interval; see `IntervalKind.error_bar`."""
        estimator = _estimator(draw)
        if isinstance(estimator, Regression):
            raise InputError(f"{self.name} redraws weighted sums; {estimator.name} is none: use student-t or design")
        values = _replicates(draw, self.name)
        baselines, weights = _redrawn(draw, _own_stream(draw, self.name))
        return _over_replicates(self.name, draw, analysis.design_bootstrap(values, baselines, weights, level))


class Design(IntervalKind):
    """Student's t with the variance that the design tells from within: strata, pairs, chains, residuals."""

    name = "design"
    summary = "Student's t with the variance within the replicates, as the design tells it; works with 1 replicate"

    def error_bar(self, draw: Draw, level: float) -> ErrorBar:
        """Return the interval; see `IntervalKind.error_bar`."""
        own = draw.own_variance
        if own is None:
            raise InputError(
                f"the passes of {draw.cell.sampler.name} do not tell their variance here ({draw.cell.passes} passes); "
                "use student-t, with at least 2 replicates"
            )
        interval = analysis.pooled_t(draw.estimates, own.variance, own.degrees, level)
        pooled = _pooled(own)
        error = float(np.sqrt(pooled.variance[0])) / len(draw.estimates)
        # Parts that agree up to rounding: what is left of their spread tells nothing of its own error.
        degrees = float(pooled.degrees[0]) if error > analysis.rounding(draw.estimates.mean()) else np.inf
        return ErrorBar(self.name, error, degrees, float(interval.lower), float(interval.upper))


class Hall(IntervalKind):
    """Hall's interval over all independent parts: passes, pairs, chains."""

    name = "hall"
    summary = "Student's t over the independent passes of all replicates, transformed for skewness"

    def error_bar(self, draw: Draw, level: float) -> ErrorBar:
        """Return the interval; see `IntervalKind.error_bar`."""
        parts = draw.parts.ravel()
        if len(parts) < FEWEST_PARTS:
            raise InputError(
                f"{self.name} needs at least {FEWEST_PARTS} independent parts; {draw.cell.sampler.name} has "
                f"{len(parts)} in {draw.cell.passes} passes x {len(draw.estimates)} replicates"
            )
        interval = analysis.hall(parts, level)
        error = float(parts.std(ddof=1)) / len(parts) ** 0.5
        return ErrorBar(self.name, error, len(parts) - 1.0, float(interval.lower), float(interval.upper))


class Auto(IntervalKind):
    """The one that the study of calibration found to cover, and to be narrowest."""

    name = "auto"
    summary = "the narrowest of these that covers, by the estimator and the number of replicates"

    def error_bar(self, draw: Draw, level: float) -> ErrorBar:
        """Return the interval; see `IntervalKind.error_bar`."""
        return self.choose(draw).error_bar(draw, level)

    def choose(self, draw: Draw) -> IntervalKind:
        """Choose by construction: statistics of the sample have no say."""
        estimator = _estimator(draw)
        # Independent sizes by 1/m: few passes hide much, and they are far above the others.
        if estimator == PointEstimator(TimeFree(), IID()) and draw.parts.size >= FEWEST_PARTS:
            return Hall()
        if isinstance(estimator, Regression) and len(draw.estimates) >= ENOUGH_REPLICATES:
            return StudentT()
        return StudentT() if draw.own_variance is None else Design()


KINDS: dict[str, IntervalKind] = {
    one.name: one for one in (Auto(), StudentT(), Design(), Hall(), DesignBootstrap(), Bca(), Anytime())
}


def interval_names() -> list[str]:
    """Return the names of all kinds of intervals."""
    return list(KINDS)


def interval_kind(name: str) -> IntervalKind:
    """Return the kind of interval of a name.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> interval_kind("hall").summary
    "Student's t over the independent passes of all replicates, transformed for skewness"
    """
    if name not in KINDS:
        raise InputError(f"there is no interval {name!r}; there are {', '.join(KINDS)}")
    return KINDS[name]


def simultaneous_level(level: float, count: int) -> float:
    """Return the level of each of ``count`` independent intervals that all cover at once with chance ``level``.

    Examples
    --------
    >>> round(simultaneous_level(0.95, 10), 5)
    0.99488
    """
    analysis.check_level(level)
    return float(level ** (1.0 / count))


def error_bars(draws: Sequence[Draw], kind: str, level: float, *, simultaneous: bool = False) -> list[ErrorBar]:
    """Return the interval of each draw; ``simultaneous`` ones all cover at once with chance ``level``.

    Draws of different items are independent. Raises `InputError` where a draw does not tell its error.
    """
    own_level = simultaneous_level(level, len(draws)) if simultaneous else level
    return [interval_kind(kind).error_bar(one, own_level) for one in draws]


def check_interval(model: ConditionalModel, cells: Sequence[Cell], kind: str, level: float) -> None:
    """Refuse an interval that the cells cannot tell, before a single pass is spent on them.

    Raises
    ------
    InputError
        If there is no such kind or level, or what it needs is not there: more replicates, or a design that tells its
        error.
    """
    one = interval_kind(kind)
    analysis.check_level(level)
    for cell in {tuple(side.length for side in cell.item.sides): cell for cell in cells}.values():
        if isinstance(one, Auto) and cell.replicates > 1:
            continue
        settled = replace(cell, sampler=cell.sampler.settled(cell.item, cell.passes, model))
        jobs = settled.sampler.jobs(cell.item, cell.passes, cell.replicates, np.random.default_rng(0))
        nothing = tuple(Evaluation(job.target, job.plan, np.zeros(job.plan.masks.shape), 0) for job in jobs)
        one.error_bar(Draw(settled, np.zeros(cell.replicates), nothing), 0.5)


def sum_of(bars: Sequence[ErrorBar], centre: float, level: float) -> ErrorBar:
    """Return Student's t interval of a sum of independent estimates; a single one keeps its own."""
    if len(bars) == 1:
        return bars[0]
    total = added(*(OwnVariance(np.array([one.standard_error**2]), np.array([one.degrees])) for one in bars))
    error, degrees = float(np.sqrt(total.variance[0])), float(total.degrees[0])
    half_width = float(stats.t.ppf((1 + level) / 2, degrees)) * error
    kinds = ", ".join(dict.fromkeys(one.kind for one in bars))
    return ErrorBar(kinds, error, degrees, centre - half_width, centre + half_width)


def _estimator(draw: Draw) -> Estimator | None:
    sampler = draw.cell.sampler
    one = sampler.estimator if isinstance(sampler, Contrast) else sampler
    return one if isinstance(one, Estimator) else None


def _replicates(draw: Draw, name: str) -> NDArray[np.float64]:
    if len(draw.estimates) < 2:
        raise InputError(f"a {name} interval needs at least 2 replicates, got {len(draw.estimates)}")
    return draw.estimates


def _over_replicates(name: str, draw: Draw, interval: analysis.Interval) -> ErrorBar:
    count = len(draw.estimates)
    error = float(draw.estimates.std(ddof=1)) / count**0.5
    return ErrorBar(name, error, count - 1.0, float(interval.lower), float(interval.upper))


def _pooled(own: OwnVariance) -> OwnVariance:
    return added(
        *(OwnVariance(own.variance[one : one + 1], own.degrees[one : one + 1]) for one in range(len(own.variance)))
    )


def _own_stream(draw: Draw, name: str) -> np.random.Generator:
    # Hangs on what was drawn, as the draw itself does.
    cell = draw.cell
    return stream(root_seed(0), name, cell.item.key, cell.sampler.name, str(cell.passes))


def _redrawn(draw: Draw, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean loss of each position, and the weights of the positions in new draws; a pair's sides joined."""
    signs = (1.0,) if len(draw.evaluations) == 1 else (-1.0, 1.0)
    baselines = [sign * side.position_losses for sign, side in zip(signs, draw.evaluations, strict=True)]
    cell, replicates = draw.cell, len(draw.estimates)
    size = cell.passes * replicates * sum(map(len, baselines))
    block = min(REDRAWN, max(1, REDRAWN_AT_ONCE // size))
    found = []
    for start in range(0, REDRAWN, block):
        count = min(block, REDRAWN - start)
        jobs = cell.sampler.jobs(cell.item, cell.passes, count * replicates, rng)
        weights = np.concatenate([job.plan.weights.sum(axis=1) for job in jobs], axis=-1)
        found.append(weights.reshape(count, replicates, -1))
    return np.concatenate(baselines), np.concatenate(found)
