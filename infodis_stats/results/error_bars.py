"""Confidence intervals by name: how the error of an estimate is told from its draw."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from estimators import Cell, Draw, Evaluation, InputError, Model
from estimators.contrast import estimator_of
from estimators.streams import root_seed, stream
from estimators.within_variance import WithinVariance, added
from infodis_stats import analysis

__all__ = [
    "ErrorBar",
    "ErrorBars",
    "IntervalKind",
    "Sample",
    "check_interval",
    "error_bars",
    "interval_kind",
    "interval_names",
    "sum_of",
]

FloatArray = NDArray[np.float64]

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


@dataclass(frozen=True, eq=False)
class ErrorBars:
    """The errors of many estimates of one item, in nats: `ErrorBar` with arrays (interval,)."""

    kind: str
    standard_error: FloatArray
    degrees: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, eq=False)
class Sample:
    """A draw's replicates, so many to an interval; what is left over is dropped.

    Attributes
    ----------
    draw : Draw
    size : int
        Replicates of an interval.
    """

    draw: Draw
    size: int

    @property
    def estimates(self) -> FloatArray:
        """Replicates of each interval: (interval, size), nats."""
        return analysis.block(self.draw.estimates, self.size)

    @property
    def parts(self) -> FloatArray:
        """Independent parts of each interval: (interval, part), nats."""
        parts = self.draw.parts
        kept = len(parts) // self.size * self.size
        return parts[:kept].reshape(kept // self.size, -1)

    @property
    def within_variance(self) -> WithinVariance | None:
        """Variance of the sum of each interval's replicates, from within them; None where they do not tell it."""
        own = self.draw.within_variance
        if own is None:
            return None
        variance, degrees = analysis.block(own.variance, self.size), analysis.block(own.degrees, self.size)
        return added(*(WithinVariance(variance[:, one], degrees[:, one]) for one in range(self.size)))


class IntervalKind(ABC):
    """A way to tell the error of an estimate."""

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def error_bars(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals of a sample.

        Raises
        ------
        InputError
            If the sample does not tell them: what it would need.
        """

    def error_bar(self, draw: Draw, level: float) -> ErrorBar:
        """Return the interval of a whole draw. Raises `InputError` if it does not tell it."""
        bars = self.error_bars(Sample(draw, len(draw.estimates)), level)
        numbers = (bars.standard_error, bars.degrees, bars.lower, bars.upper)
        return ErrorBar(bars.kind, *(float(one[0]) for one in numbers))


class StudentT(IntervalKind):
    """Student's t over the replicates: always valid up to skewness, whatever the passes have in common."""

    name = "student-t"
    summary = "Student's t over the replicates; needs 2, and is 1.5 times too wide with 4"

    def error_bars(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals; see `IntervalKind.error_bars`."""
        values = _replicates(sample, self.name)
        return _over_replicates(self.name, values, analysis.student_t(values, level))


class Bca(IntervalKind):
    """The bias-corrected and accelerated bootstrap over the replicates."""

    name = "bca"
    summary = "BCa bootstrap over the replicates; too narrow below 32"

    def error_bars(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals; see `IntervalKind.error_bars`."""
        values = _replicates(sample, self.name)
        return _over_replicates(self.name, values, analysis.bca(values, _own_stream(sample.draw, self.name), level))


class Anytime(IntervalKind):
    """The confidence sequence where it has come to: valid however the number of replicates was decided."""

    name = "anytime"
    summary = "right-Haar t-mixture over the replicates; covers for all numbers of replicates at once"

    def error_bars(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals; see `IntervalKind.error_bars`."""
        values = _replicates(sample, self.name)
        running = analysis.confidence_sequence(values, level)
        return _over_replicates(self.name, values, analysis.Interval(running.lower[..., -1], running.upper[..., -1]))


class DesignBootstrap(IntervalKind):
    """The hull of Student's t and a bootstrap-t that redraws the masks."""

    name = "design-bootstrap"
    summary = "hull of Student's t and a bootstrap that redraws the masks: for few hard tokens; needs 2 replicates"

    def error_bars(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals; see `IntervalKind.error_bars`."""
        estimator = estimator_of(sample.draw.cell.sampler)
        if estimator is not None and not (estimator.weighted_sum and estimator.family == "masked"):
            raise InputError(
                f"{self.name} redraws weighted sums of masked losses; {estimator.name} is none: use student-t or design"
            )
        values = _replicates(sample, self.name)
        # One set of new masks for all: an interval does not depend on the others.
        weights = _redrawn(sample.draw, sample.size, _own_stream(sample.draw, self.name))
        baselines = [_baselines(one) for one in sample.draw.blocks(sample.size)]
        found = [analysis.design_bootstrap(*one, weights, level) for one in zip(values, baselines, strict=True)]
        ends = np.array([(one.lower, one.upper) for one in found]).T
        return _over_replicates(self.name, values, analysis.Interval(*ends))


class Design(IntervalKind):
    """Student's t with the variance that the design tells from within: strata, pairs, chains, residuals."""

    name = "design"
    summary = "Student's t with the variance within the replicates, as the design tells it; works with 1 replicate"

    def error_bars(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals; see `IntervalKind.error_bars`."""
        own, cell = sample.within_variance, sample.draw.cell
        if own is None:
            raise InputError(
                f"the passes of {cell.sampler.name} do not tell their variance here ({cell.passes} passes); "
                "use student-t, with at least 2 replicates"
            )
        centre, error = sample.estimates.mean(axis=-1), np.sqrt(own.variance) / sample.size
        # Parts that agree up to rounding: what is left of their spread tells nothing of its own error.
        degrees = np.where(error > analysis.rounding(centre), own.degrees, np.inf)
        return _students_t(self.name, centre, error, degrees, level)


class Hall(IntervalKind):
    """Hall's interval over all independent parts: passes, pairs, chains."""

    name = "hall"
    summary = "Student's t over the independent passes of all replicates, transformed for skewness"

    def error_bars(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals; see `IntervalKind.error_bars`."""
        parts, cell = sample.parts, sample.draw.cell
        count = parts.shape[1]
        if count < FEWEST_PARTS:
            raise InputError(
                f"{self.name} needs at least {FEWEST_PARTS} independent parts; {cell.sampler.name} has {count} in "
                f"{cell.passes} passes x {sample.size} replicates"
            )
        return _over_replicates(self.name, parts, analysis.hall(parts, level))


class Auto(IntervalKind):
    """The one that the study of calibration found to cover, and to be narrowest."""

    name = "auto"
    summary = "the narrowest of these that covers, by the estimator and the number of replicates"

    def error_bars(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals; see `IntervalKind.error_bars`."""
        return self.choose(sample).error_bars(sample, level)

    def choose(self, sample: Sample) -> IntervalKind:
        """Choose by construction: statistics of the sample have no say."""
        estimator = estimator_of(sample.draw.cell.sampler)
        if estimator is not None:
            if estimator.skewed_parts and sample.parts.shape[1] >= FEWEST_PARTS:
                return Hall()
            if estimator.conservative_within_variance and sample.size >= ENOUGH_REPLICATES:
                return StudentT()
        return StudentT() if sample.draw.within_variance is None else Design()


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


def error_bars(draws: Sequence[Draw], kind: str, level: float) -> list[ErrorBar]:
    """Return the interval of each draw. Raises `InputError` where a draw does not tell its error."""
    return [interval_kind(kind).error_bar(one, level) for one in draws]


def check_interval(model: Model, cells: Sequence[Cell], kind: str, level: float) -> None:
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
        nothing = tuple(Evaluation(job.target, job.plan, np.zeros(job.plan.weights.shape), 0) for job in jobs)
        one.error_bar(Draw(settled, np.zeros(cell.replicates), nothing), 0.5)


def sum_of(bars: Sequence[ErrorBar], centre: float, level: float) -> ErrorBar:
    """Return Student's t interval of a sum of independent estimates; a single one keeps its own."""
    if len(bars) == 1:
        return bars[0]
    total = added(*(WithinVariance(np.array([one.standard_error**2]), np.array([one.degrees])) for one in bars))
    kinds = ", ".join(dict.fromkeys(one.kind for one in bars))
    whole = _students_t(kinds, np.array([centre]), np.sqrt(total.variance), total.degrees, level)
    return ErrorBar(kinds, *(float(one[0]) for one in (whole.standard_error, whole.degrees, whole.lower, whole.upper)))


def _replicates(sample: Sample, name: str) -> FloatArray:
    if sample.size < 2:
        raise InputError(f"a {name} interval needs at least 2 replicates, got {sample.size}")
    return sample.estimates


def _over_replicates(name: str, values: FloatArray, interval: analysis.Interval) -> ErrorBars:
    count = values.shape[-1]
    error = values.std(axis=-1, ddof=1) / np.sqrt(count)
    return ErrorBars(name, error, np.full(len(values), count - 1.0), interval.lower, interval.upper)


def _students_t(name: str, centre: FloatArray, error: FloatArray, degrees: FloatArray, level: float) -> ErrorBars:
    half_width = stats.t.ppf((1 + level) / 2, degrees) * error
    return ErrorBars(name, error, degrees, centre - half_width, centre + half_width)


def _own_stream(draw: Draw, name: str) -> np.random.Generator:
    # Hangs on what was drawn, as the draw itself does.
    cell = draw.cell
    return stream(root_seed(0), name, cell.item.key, cell.sampler.name, str(cell.passes))


def _baselines(draw: Draw) -> FloatArray:
    """Return the mean loss of each position; of a pair both sides, joined, the first one negative."""
    signs = (1.0,) if len(draw.evaluations) == 1 else (-1.0, 1.0)
    return np.concatenate([sign * side.position_losses for sign, side in zip(signs, draw.evaluations, strict=True)])


def _redrawn(draw: Draw, replicates: int, rng: np.random.Generator) -> FloatArray:
    """Return the weights of the positions in new draws of so many replicates: (new draw, replicate, position)."""
    cell = draw.cell
    size = cell.passes * replicates * sum(side.length for side in cell.item.sides)
    block = min(REDRAWN, max(1, REDRAWN_AT_ONCE // size))
    found = []
    for start in range(0, REDRAWN, block):
        count = min(block, REDRAWN - start)
        jobs = cell.sampler.jobs(cell.item, cell.passes, count * replicates, rng)
        weights = np.concatenate([job.plan.weights.sum(axis=1) for job in jobs], axis=-1)
        found.append(weights.reshape(count, replicates, -1))
    return np.concatenate(found)
