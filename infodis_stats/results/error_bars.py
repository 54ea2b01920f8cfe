"""Confidence intervals by name: how the standard error of an estimate is computed from its draw."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from estimators import Cell, Draw, InputError
from estimators.estimator import estimator_of
from estimators.streams import root_seed, stream
from estimators.within_variance import WithinVariance, added
from infodis_stats import analysis
from infodis_stats.analysis.intervals import hall_quantiles
from infodis_stats.results.missed import missed_half_widths
from infodis_stats.results.sample import Sample
from infodis_stats.results.skewness import effective_passes, heavy_tailed, position_skewness

__all__ = [
    "NO_BAR",
    "SAMPLE_CAUTIONS",
    "ErrorBar",
    "ErrorBars",
    "IntervalKind",
    "check_interval",
    "interval_kind",
    "interval_names",
    "sum_of",
]

FloatArray = NDArray[np.float64]

REDRAWN = 499  # sets of masks of the design bootstrap
REDRAWN_AT_ONCE = 2**25  # weights: several hundred megabytes
MOST_SKEWNESS, MOST_CORRECTED = 0.25, 1.5  # of an estimate: beyond it, coverage is below nominal
FEWEST_PARTS = 8  # for a usable estimate of skewness
ENOUGH_REPLICATES = 8
SAMPLE_CAUTIONS = ("no-spread", "unseen-sizes", "skewed")
"""Keys of the cautions that depend on the sample of an interval: its `flags`."""


@dataclass(frozen=True)
class ErrorBar:
    """The error of one estimate, in nats.

    Attributes
    ----------
    kind : str
        Name of the interval.
    standard_error : float
    degrees : float
        Degrees of freedom of the standard error; infinite where it is exact.
    lower, upper : float
        Ends of the interval.
    flags : frozenset of str, default empty
        Keys of the cautions that hold for this sample.
    skewness : float, default 0
        Of the estimate, as far as the interval accounts for it.
    effective_passes : float, default NaN
        Passes that carry the spread.
    unseen : float, default 0
        What the interval includes on either side, besides the standard error, for mask sizes without a pass.
    """

    kind: str
    standard_error: float
    degrees: float
    lower: float
    upper: float
    flags: frozenset[str] = frozenset()
    skewness: float = 0.0
    effective_passes: float = float("nan")
    unseen: float = 0.0


NO_BAR = ErrorBar("", float("nan"), float("nan"), float("nan"), float("nan"))
"""The error of an item without an estimate."""


@dataclass(frozen=True, eq=False)
class ErrorBars:
    """The errors of many estimates of one item, in nats: `ErrorBar` with arrays (interval,)."""

    kind: str
    standard_error: FloatArray
    degrees: FloatArray
    lower: FloatArray
    upper: FloatArray
    flags: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    skewness: FloatArray | None = None
    unseen: FloatArray | None = None


class IntervalKind(ABC):
    """A way to estimate the error of an estimate."""

    name: ClassVar[str]
    summary: ClassVar[str]
    most_skewness: ClassVar[float] = MOST_SKEWNESS

    @abstractmethod
    def check(self, cell: Cell) -> None:
        """Refuse a cell that is too small for an interval, without drawing it.

        Raises
        ------
        InputError
            The message says what is needed.
        """

    @abstractmethod
    def from_spread(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals of a sample that is large enough, from its spread: points where there is none."""

    def error_bars(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals of a sample, with what its passes may have missed; see `infodis_stats.results.missed`.

        Raises
        ------
        InputError
            If the sample is too small for them; the message says what is needed.
        """
        self.check(sample.cell)
        spread = self.from_spread(sample, level)
        bars = _with_missed(spread, sample, level)
        skewness = np.abs(position_skewness(sample, bars.standard_error))
        skewed = (skewness > self.most_skewness) | heavy_tailed(sample)
        # Where all estimates agree there is no skewness: they are exact, or the flag is "no-spread".
        varied = spread.standard_error > analysis.rounding(sample.estimates.mean(axis=-1))
        return replace(bars, flags={**bars.flags, "skewed": skewed & varied})

    def error_bar(self, draw: Draw, level: float) -> ErrorBar:
        """Return the interval of a whole draw. Raises `InputError` if the draw is too small for it."""
        sample = Sample(draw, len(draw.estimates))
        bars = self.error_bars(sample, level)
        error, degrees, lower, upper = (
            float(number[0]) for number in (bars.standard_error, bars.degrees, bars.lower, bars.upper)
        )
        flags = frozenset(key for key, held in bars.flags.items() if held[0])
        skewness, unseen = (0.0 if values is None else float(values[0]) for values in (bars.skewness, bars.unseen))
        passes = float(effective_passes(sample)[0])
        return ErrorBar(bars.kind, error, degrees, lower, upper, flags, skewness, passes, unseen)


class StudentTInterval(IntervalKind):
    """Student's t over the replicates: valid up to skewness, whatever the dependence between passes."""

    name = "student-t"
    summary = "Student's t over the replicates; needs 2, and is 1.4 times too wide with 4"

    def check(self, cell: Cell) -> None:
        """Refuse fewer than 2 replicates."""
        _check_replicates(cell, self.name)

    def from_spread(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals of a sample."""
        values = sample.estimates
        return _over_replicates(self.name, values, analysis.student_t(values, level))


class BcaInterval(IntervalKind):
    """The bias-corrected and accelerated bootstrap over the replicates."""

    name = "bca"
    summary = "BCa bootstrap over the replicates; too narrow below 32"

    def check(self, cell: Cell) -> None:
        """Refuse fewer than 2 replicates."""
        _check_replicates(cell, self.name)

    def from_spread(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals of a sample."""
        values = sample.estimates
        return _over_replicates(
            self.name, values, analysis.bca(values, _interval_stream(sample.draw, self.name), level)
        )


class AnytimeInterval(IntervalKind):
    """The last interval of the confidence sequence: valid however the number of replicates was chosen."""

    name = "anytime"
    summary = "right-Haar t-mixture over the replicates; covers at all numbers of replicates at once"

    def check(self, cell: Cell) -> None:
        """Refuse fewer than 2 replicates."""
        _check_replicates(cell, self.name)

    def from_spread(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals of a sample."""
        values = sample.estimates
        running = analysis.confidence_sequence(values, level)
        return _over_replicates(self.name, values, analysis.Interval(running.lower[..., -1], running.upper[..., -1]))


class DesignBootstrapInterval(IntervalKind):
    """The hull of Student's t and a bootstrap-t that redraws the masks."""

    name = "design-bootstrap"
    most_skewness = MOST_CORRECTED
    summary = "hull of Student's t and a bootstrap that redraws the masks: for few hard tokens; needs 2 replicates"

    def check(self, cell: Cell) -> None:
        """Refuse what is no weighted sum of masked losses, and fewer than 2 replicates."""
        estimator = estimator_of(cell.sampler)
        if estimator is not None and not (estimator.weighted_sum and estimator.family == "masked"):
            raise InputError(
                f"{self.name} redraws weighted sums of masked losses, unlike {estimator.name}; use student-t or design"
            )
        _check_replicates(cell, self.name)

    def from_spread(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals of a sample."""
        values = sample.estimates
        # All intervals share one set of new masks, so that none depends on the others.
        weights = _redrawn(sample.draw, sample.size, _interval_stream(sample.draw, self.name))
        baselines = [_baselines(block) for block in sample.draw.blocks(sample.size)]
        parts = zip(values, baselines, strict=True)
        intervals = [analysis.design_bootstrap(*part, weights, level) for part in parts]
        ends = np.array([(interval.lower, interval.upper) for interval in intervals]).T
        return _over_replicates(self.name, values, analysis.Interval(*ends))


class DesignInterval(IntervalKind):
    """Student's t with the within-replicate variance: of strata, pairs, chains or residuals, by the design."""

    name = "design"
    summary = "Student's t with the within-replicate variance of the design; works with 1 replicate"

    def check(self, cell: Cell) -> None:
        """Refuse a design without a within-replicate variance."""
        if not cell.has_within_variance:
            raise InputError(
                f"{cell.sampler.name} has no within-replicate variance here ({cell.passes} passes); "
                "use student-t, with at least 2 replicates"
            )

    def from_spread(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals of a sample."""
        within = sample.within_variance
        assert within is not None
        centre, error = sample.estimates.mean(axis=-1), np.sqrt(within.variance) / sample.size
        # Where parts agree up to rounding, their spread is rounding too and has no degrees of freedom.
        degrees = np.where(error > analysis.rounding(centre), within.degrees, np.inf)
        return _students_t(self.name, centre, error, degrees, level)


class DesignHallInterval(IntervalKind):
    """Student's t with the best known variance, transformed for the skewness that positions of unequal loss cause."""

    name = "design-hall"
    summary = "design, or student-t where that is impossible, transformed for positions of unequal loss"
    most_skewness = MOST_CORRECTED

    def check(self, cell: Cell) -> None:
        """Refuse what neither of the two kinds accepts."""
        self.base(cell).check(cell)

    def base(self, cell: Cell) -> IntervalKind:
        """Return the kind of interval that is transformed."""
        return DesignInterval() if cell.has_within_variance else StudentTInterval()

    def from_spread(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals of a sample."""
        bars = self.base(sample.cell).from_spread(sample, level)
        skewness = position_skewness(sample, bars.standard_error)
        quantile = np.asarray(special.stdtrit(bars.degrees, (1 + level) / 2), dtype=np.float64)
        low, high = hall_quantiles(skewness, quantile)
        centre = sample.estimates.mean(axis=-1)
        return replace(
            bars,
            kind=self.name,
            lower=np.minimum(centre, centre - high * bars.standard_error),
            upper=np.maximum(centre, centre - low * bars.standard_error),
            skewness=skewness,
        )


class HallInterval(IntervalKind):
    """Hall's interval over all independent parts: passes, pairs, chains."""

    name = "hall"
    summary = "Student's t over the independent passes of all replicates, transformed for skewness"

    def check(self, cell: Cell) -> None:
        """Refuse fewer than 8 independent parts."""
        count = cell.part_count * cell.replicates
        if count < FEWEST_PARTS:
            raise InputError(
                f"{self.name} needs at least {FEWEST_PARTS} independent parts; {cell.sampler.name} has {count} in "
                f"{cell.passes} passes x {cell.replicates} replicates"
            )

    def from_spread(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals of a sample."""
        return _over_replicates(self.name, sample.parts, analysis.hall(sample.parts, level))


class AutoInterval(IntervalKind):
    """The narrowest interval that covers, according to the calibration study."""

    name = "auto"
    summary = "the narrowest of these that covers, by the estimator and the number of replicates"

    def check(self, cell: Cell) -> None:
        """Refuse what the kind that is chosen refuses."""
        self.choose(cell).check(cell)

    def from_spread(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals of a sample."""
        return self.choose(sample.cell).from_spread(sample, level)

    def error_bars(self, sample: Sample, level: float) -> ErrorBars:
        """Return the intervals of a sample, of the kind that is chosen for it."""
        return self.choose(sample.cell).error_bars(sample, level)

    def choose(self, cell: Cell) -> IntervalKind:
        """Choose by construction: statistics of the sample are not used."""
        estimator = estimator_of(cell.sampler)
        if estimator is not None:
            if estimator.skewed_parts and cell.part_count * cell.replicates >= FEWEST_PARTS:
                return HallInterval()
            if estimator.independent_masks:
                return DesignHallInterval()
            if estimator.conservative_within_variance and cell.replicates >= ENOUGH_REPLICATES:
                return StudentTInterval()
        return DesignInterval() if cell.has_within_variance else StudentTInterval()


KINDS: dict[str, IntervalKind] = {
    kind.name: kind
    for kind in (
        AutoInterval(),
        StudentTInterval(),
        DesignInterval(),
        DesignHallInterval(),
        HallInterval(),
        DesignBootstrapInterval(),
        BcaInterval(),
        AnytimeInterval(),
    )
}


def interval_names() -> list[str]:
    """Return the names of all kinds of intervals."""
    return list(KINDS)


def interval_kind(name: str) -> IntervalKind:
    """Return the kind of interval of a name.

    Raises
    ------
    InputError
        If there is no such kind.

    Examples
    --------
    >>> interval_kind("hall").summary
    "Student's t over the independent passes of all replicates, transformed for skewness"
    """
    if not isinstance(name, str) or name not in KINDS:
        raise InputError(f"there is no interval {name!r}; there are {', '.join(KINDS)}")
    return KINDS[name]


def check_interval(cells: Sequence[Cell], kind: str) -> None:
    """Refuse an interval that settled cells cannot have, before a single pass is spent.

    Raises
    ------
    InputError
        If there is no such kind, or the cells lack what it needs: more replicates, or a design with a
        within-replicate variance.
    """
    interval = interval_kind(kind)
    kinds = {tuple((side.length, side.blocks) for side in cell.item.sides): cell for cell in cells}
    for cell in kinds.values():
        interval.check(cell)


def sum_of(bars: Sequence[ErrorBar], centre: float, level: float) -> ErrorBar:
    """Return Student's t interval of a sum of independent estimates; a single estimate keeps its interval."""
    if len(bars) == 1:
        return bars[0]
    total = added(*(WithinVariance(np.array([bar.standard_error**2]), np.array([bar.degrees])) for bar in bars))
    kinds = ", ".join(dict.fromkeys(bar.kind for bar in bars))
    whole = _students_t(kinds, np.array([centre]), np.sqrt(total.variance), total.degrees, level)
    error, degrees, lower, upper = (
        float(end[0]) for end in (whole.standard_error, whole.degrees, whole.lower, whole.upper)
    )
    fewest = min(bar.effective_passes for bar in bars)
    unseen = sum(bar.unseen for bar in bars)  # parts of one text may lack the same sizes
    return ErrorBar(kinds, error, degrees, lower - unseen, upper + unseen, effective_passes=fewest, unseen=unseen)


def _with_missed(bars: ErrorBars, sample: Sample, level: float) -> ErrorBars:
    """Give intervals without spread the standard error of the rule of three, and widen for sizes without a pass."""
    missed = missed_half_widths(sample, bars.standard_error, level)
    if not missed:
        return bars
    centre = sample.estimates.mean(axis=-1)
    rounding = analysis.rounding(centre)
    equal = bars.standard_error <= rounding
    # Without spread an estimate is not exact even if nothing was lost: its degrees of freedom are finite.
    degrees = max(1.0, sample.draw.cell.passes * sample.size - 1.0)
    quantile = float(special.stdtrit(degrees, (1 + level) / 2))
    narrow = missed["unseen-sizes"] > np.maximum((bars.upper - bars.lower) / 2, rounding)
    unseen = np.where(narrow, missed["unseen-sizes"], 0.0)
    lower = np.where(equal, centre - missed["no-spread"], bars.lower)
    upper = np.where(equal, centre + missed["no-spread"], bars.upper)
    return replace(
        bars,
        standard_error=np.where(equal, missed["no-spread"] / quantile, bars.standard_error),
        degrees=np.where(equal, degrees, bars.degrees),
        lower=lower - unseen,
        upper=upper + unseen,
        flags={"no-spread": equal, "unseen-sizes": narrow},
        skewness=None if bars.skewness is None else np.where(equal, 0.0, bars.skewness),
        unseen=unseen,
    )


def _check_replicates(cell: Cell, name: str) -> None:
    if cell.replicates < 2:
        raise InputError(f"a {name} interval needs at least 2 replicates, got {cell.replicates}")


def _over_replicates(name: str, values: FloatArray, interval: analysis.Interval) -> ErrorBars:
    count = values.shape[-1]
    error = values.std(axis=-1, ddof=1) / np.sqrt(count)
    return ErrorBars(name, error, np.full(len(values), count - 1.0), interval.lower, interval.upper)


def _students_t(name: str, centre: FloatArray, error: FloatArray, degrees: FloatArray, level: float) -> ErrorBars:
    half_width = special.stdtrit(degrees, (1 + level) / 2) * error
    return ErrorBars(name, error, degrees, centre - half_width, centre + half_width)


def _interval_stream(draw: Draw, name: str) -> np.random.Generator:
    # Depends on the item, the sampler and the passes, as the draw itself does.
    cell = draw.cell
    return stream(root_seed(0), name, cell.item.key, cell.sampler.name, str(cell.passes))


def _baselines(draw: Draw) -> FloatArray:
    """Return the mean loss of each position; for a pair both sides joined, the first with a minus sign."""
    signs = (1.0,) if len(draw.evaluations) == 1 else (-1.0, 1.0)
    return np.concatenate([sign * side.position_losses for sign, side in zip(signs, draw.evaluations, strict=True)])


def _redrawn(draw: Draw, replicates: int, rng: np.random.Generator) -> FloatArray:
    """Return the weights of the positions in new draws: (new draw, replicate, position)."""
    cell = draw.cell
    size = cell.passes * replicates * sum(side.length for side in cell.item.sides)
    block = min(REDRAWN, max(1, REDRAWN_AT_ONCE // size))
    drawn = []
    for start in range(0, REDRAWN, block):
        count = min(block, REDRAWN - start)
        jobs = cell.sampler.jobs(cell.item, cell.passes, count * replicates, rng)
        weights = np.concatenate([job.plan.weights.sum(axis=1) for job in jobs], axis=-1)
        drawn.append(weights.reshape(count, replicates, -1))
    return np.concatenate(drawn)
