"""The statistics of draws: what is kept of each once its plan and its losses are released."""

from dataclasses import dataclass

from estimators import Cell, Draw
from estimators.reduction import Reduction
from infodis_stats.analysis.replicates import FloatArray
from infodis_stats.estimates.loss_profile import NO_PROFILE, LossProfile, loss_profile
from infodis_stats.results.error_bars import NO_BAR, ErrorBar, interval_kind

__all__ = ["DrawStatistics"]


@dataclass(frozen=True, eq=False)
class DrawStatistics:
    """The estimates of a draw with their error and profile, without the losses behind them.

    Memory then does not grow with passes times positions of all texts, but of those that are being drawn.

    Attributes
    ----------
    cell : Cell
        With the sampler that really sampled.
    reduction : Reduction
    forward_passes : int
    bar : ErrorBar
    profile : LossProfile
    problem : str, optional
        Where and how the model failed, in the draw or on the full mask; bar and profile are then NaN.
    """

    cell: Cell
    reduction: Reduction
    forward_passes: int
    bar: ErrorBar = NO_BAR
    profile: LossProfile = NO_PROFILE
    problem: str | None = None

    @classmethod
    def of(cls, draw: Draw, interval: str, level: float) -> "DrawStatistics":
        """Take the statistics of a draw, with an interval of this kind and confidence level.

        Raises
        ------
        InputError
            If the draw is too small for the interval.
        """
        kept = draw.cell, draw.reduction, draw.forward_passes
        if draw.problem:
            return cls(*kept, problem=draw.problem)
        profile = loss_profile(draw)
        if profile.problem:
            return cls(*kept, problem=profile.problem)
        return cls(*kept, interval_kind(interval).error_bar(draw, level), profile)

    @property
    def estimates(self) -> FloatArray:
        """The estimate of each replicate: (replicates,), nats."""
        return self.reduction.estimates
