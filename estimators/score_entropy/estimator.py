"""The score-entropy estimator (I-MDSE): the likelihood under any noise, as an integral over time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from estimators.designs import IID, Design, Stratified
from estimators.errors import InputError
from estimators.estimator import Family
from estimators.evaluate import Evaluation, Job
from estimators.masked.mask_maps import TimeIntegral
from estimators.masked.points import PointEstimator
from estimators.model import Model, trained_noise_of
from estimators.noise.process import Absorbing, Noise
from estimators.noise.schedule import LogLinear, Schedule
from estimators.plan import Plan
from estimators.pointwise import Pointwise
from estimators.score_entropy.plan import NoisePlan
from estimators.score_entropy.states import NoisedTokens
from estimators.score_entropy.time_law import SMALLEST_PILOT, TimeLaw
from estimators.target import Target
from estimators.within_variance import WithinVariance

__all__ = ["ScoreEntropy"]

TIMES = (np.arange(1000) + 0.5) / 1000  # at which a schedule is compared with that of training
MOST_OUTSIDE = 0.25  # of the passes: the bound holds for any, but a network that was never trained there is loose


@dataclass(frozen=True)
class ScoreEntropy(Pointwise):
    """Time uniform on the schedule, noise of that time, and the score entropy of what it leaves, times the rate.

    ``-log p(x) = int_0^T E[l_DSE] dt + KL(p_{T|0}(. | x) || p_T)``. With a schedule that ends in pure noise nothing
    remains at ``T``; with any other the estimate lacks the last term.

    Under absorbing noise and the log-linear schedule this is the masked time-integral estimator, mask by mask: both
    draw the same points from the same seed.

    Parameters
    ----------
    noise : Noise
    schedule : Schedule, default LogLinear()
    design : Design, default IID()
        How points are drawn: the time, and a key for each position.
    marginal : bool, default False
        Whether to average over each position's own noise, at no cost in passes. It has the same mean for a model whose
        ratios come from one law, and a far smaller variance.
    end : float, default 1
        The time where the integral ends.
    pilot : int, default 0
        Passes of a pilot, once for all replicates of a target, that learns which times need most passes. They are
        counted in the passes that were run.
    time_law : TimeLaw, optional
        The law that a pilot has fitted.

    Raises
    ------
    InputError
        If ``end`` is not in (0, 1], a pilot has fewer than 32 passes, or own noise cannot be averaged over.

    References
    ----------
    Jeon, Shin, Jeon, No, *Information-Theoretic Discrete Diffusion*, NeurIPS 2025, arXiv 2510.24088:
    Theorems 3.1 and 3.2 (I-MDSE). A. Lou, C. Meng, S. Ermon, *Discrete diffusion modeling by estimating the ratios of
    the data distribution* (SEDD), arXiv 2310.16834.

    Examples
    --------
    >>> from estimators import Polynomial, Stratified, Uniform
    >>> ScoreEntropy(Uniform(), Polynomial(), Stratified(), marginal=True).name
    'marginal-score-entropy(uniform,polynomial)+stratified'
    """

    noise: Noise = field()
    schedule: Schedule = field(default_factory=LogLinear)
    design: Design = field(default_factory=IID)
    marginal: bool = False
    end: float = 1.0
    pilot: int = 0
    time_law: TimeLaw | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.end <= 1.0:
            raise InputError(f"the end of a schedule is a time above 0 and at most 1, got {self.end}")
        if self.pilot != 0 and self.pilot < SMALLEST_PILOT:
            raise InputError(f"a pilot needs at least {SMALLEST_PILOT} passes to compare times, got {self.pilot}")
        if self.marginal and not self.noise.joins_all:
            raise InputError(
                f"{self.noise.name} noise does not join all states, so one set of ratios does not give the loss of a "
                f"position in another state: use score-entropy({self.noise.name})"
            )

    @property
    def name(self) -> str:
        """The name in the registry, such as ``"score-entropy(uniform,polynomial)+stratified"``."""
        schedule = self.schedule.name.removeprefix("log-linear").removeprefix(",")
        words = [self.noise.name, *([schedule] if schedule else [])]
        words += [f"end={self.end:.12g}"] * (self.end != 1) + [f"pilot={self.pilot}"] * (self.pilot > 0)
        kind = "marginal-score-entropy" if self.marginal else "score-entropy"
        design = "" if self.design == IID() else f"+{self.design.name}"
        return f"{kind}({','.join(words)}){design}"

    @property
    def family(self) -> Family:
        """A pass shows a model noised tokens."""
        return "noised"

    @property
    def stream_name(self) -> str:
        """Its name; that of the masked time-integral where it is the same estimator."""
        masked = ScoreEntropy(Absorbing(), LogLinear(), self.design)
        return PointEstimator(TimeIntegral(), self.design).name if self == masked else self.name

    @property
    def summary(self) -> str:
        """The estimator in one line."""
        kind = "score entropy averaged over a position's own noise" if self.marginal else "score entropy"
        pilot = f", times by a pilot of {self.pilot} passes" if self.pilot else ""
        return f"{kind}: {self.noise.summary}, {self.schedule.name} schedule{pilot}; {self.design.summary}"

    @property
    def final_noise(self) -> float:
        """Total noise at the end of the integral; it may be infinite."""
        if self.end == 1:
            return self.schedule.final_noise
        return float(self.schedule.total_noise(self.end))

    @property
    def unbiased(self) -> bool:
        """Only an integral to the end of all information is unbiased."""
        return self.final_noise == np.inf

    @property
    def finite_variance(self) -> bool:
        """Whether low noise is sampled often enough, and the noise forgets fast enough."""
        begins = self.marginal or self.schedule.order > 1
        # Terms fall with the square of what is left of the start, or as it does where states die out, as symbols do.
        ends = self.final_noise < np.inf or self.noise.slowest_rate > (0.25 if self.noise.joins_all else 0.5)
        return begins and ends

    @property
    def steady(self) -> bool:
        """Whether no few passes at low noise carry the error: intervals are then as good as those of masks.

        Averaged over a position's own noise, terms grow with the logarithm of the noised fraction, which a schedule
        that begins slowly takes away; under masking it is enough that it does. Elsewhere single jumps stand out.
        """
        return self.schedule.order > 1 and (self.marginal or self.noise == Absorbing())

    def within_variance(self, plan: Plan, losses: NDArray[np.float64]) -> WithinVariance | None:
        """Estimate each replicate's variance; see `Estimator.within_variance`.

        Not from strata where terms grow without bound in the first of them, which has no neighbour before it: second
        differences gave 0.5 to 0.8 times the true variance, and intervals covered 81 to 95 %.
        """
        return super().within_variance(plan, losses) if self.has_within_variance(plan.length, plan.passes) else None

    def has_within_variance(self, length: int, passes: int) -> bool:
        """Return False where terms grow without bound in the first stratum; see `Estimator.has_within_variance`."""
        unbounded = self.design.dependence == "strata" and self.schedule.order <= 1
        return not unbounded and super().has_within_variance(length, passes)

    def settled(self, item: Target, passes: int, model: Model) -> ScoreEntropy:
        """Return the estimator itself. Raises `InputError` if the model was not trained for such a schedule."""
        trained = trained_noise_of(model)
        if trained is not None:
            amounts = self.schedule.total_noise(self.end * TIMES)
            outside = float(((amounts < trained[0]) | (amounts > trained[1])).mean())
            if outside > MOST_OUTSIDE:
                least, most = trained
                raise InputError(
                    f"{type(model).__name__} was trained for total noise from {least:.3g} to {most:.3g}, and "
                    f"{outside:.0%} of the passes of {self.name} are outside: use a schedule such as polynomial"
                )
        return self

    def plan_of(self, points: NDArray[np.float64]) -> NoisePlan:
        """Turn points into a plan; see `Pointwise.plan_of`."""
        quantile, keys = points[..., 0], points[..., 1:]
        times = quantile if self.time_law is None else self.time_law.times(quantile)
        density = 1.0 if self.time_law is None else self.time_law.density(times)
        weights = self.schedule.rate(self.end * times) * self.end / density / points.shape[1]
        total_noise = self.schedule.total_noise(self.end * times)
        spread = np.broadcast_to(weights[..., None], keys.shape)
        return NoisePlan(total_noise, keys, spread, NoisedTokens(self.noise, self.marginal))

    def pilot_jobs(self, item: Target, rng: np.random.Generator) -> tuple[Job, ...]:
        """Plan the pilot, if there is to be one: with times in strata."""
        if not self.pilot or self.time_law is not None:
            return ()
        return replace(self, design=Stratified()).jobs(item, self.pilot, 1, rng)

    def after_pilot(self, evaluations: tuple[Evaluation, ...]) -> ScoreEntropy:
        """Return the estimator with the law of the time that the pilot's terms ask for."""
        (evaluation,) = evaluations
        return self.informed(evaluation.plan, evaluation.terms**2)

    def informed(self, plan: Plan, squares: NDArray[np.float64]) -> ScoreEntropy:
        """Return the estimator with the law of the time fitted to squared terms of a pilot, one stratum per pass."""
        times = (np.arange(plan.passes) + 0.5) / plan.passes
        return replace(self, time_law=TimeLaw.fitted(times, squares[0]))
