"""The settings of an estimate, checked once: how much is sampled, which interval, and how the model is run."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from estimators import Cell, Draw, Estimator, Evaluation, InputError, Job, Model, draw, evaluate, registry
from estimators.arguments import check_count, check_flag
from estimators.evaluate import Progress
from estimators.sampling import Beside
from infodis_stats.analysis import level_of_each
from infodis_stats.analysis.replicates import check_level
from infodis_stats.laws import Law
from infodis_stats.progress import progress_callback
from infodis_stats.results.error_bars import interval_kind

__all__ = ["Device", "Execution", "IntervalRequest", "SamplingPlan", "named_estimator", "rows_per_call"]

Device = torch.device | str
"""Device of the tensors, as torch names it."""

Seed = int | np.random.SeedSequence

LAW_ROWS = 1024


@dataclass(frozen=True)
class SamplingPlan:
    """How much is sampled.

    Parameters
    ----------
    passes : int
        Forward passes that one replicate may use per sequence.
    replicates : int
        Independent replicates; with a precision, those of the first round.
    seed : int
        Seed from which all streams of masks derive. Bootstrap intervals resample with streams that depend on the draw.
    precision : float or str, optional
        Half-width to reach, as `infodis_stats.estimates.precision.Precision.of` reads it.
    most_passes : int, default 4096
        With a precision, the budget of passes per sequence over all rounds.
    fewest_replicates : int, default 1
        Replicates that the interval needs: 2 where only their spread gives its standard error.

    Raises
    ------
    InputError
        If a number is not an integer or is too small, or the budget does not cover the first round.
    """

    passes: int
    replicates: int
    seed: int
    precision: float | str | None = None
    most_passes: int = 4096
    fewest_replicates: int = 1

    def __post_init__(self) -> None:
        check_count("passes", self.passes)
        check_count("replicates", self.replicates)
        if self.replicates < self.fewest_replicates:
            raise InputError(f"an interval needs at least {self.fewest_replicates} replicates, got {self.replicates}")
        check_count("seed", self.seed, least=0)
        check_count("most_passes", self.most_passes)
        if self.precision is not None:
            self.check_budget()

    def check_budget(self) -> None:
        """Refuse a budget that does not cover the first round. Raises `InputError`."""
        first_round = self.passes * self.replicates
        if self.most_passes < first_round:
            raise InputError(
                f"most_passes must cover the first round, {self.passes} passes x {self.replicates} replicates = "
                f"{first_round}, got {self.most_passes}"
            )


@dataclass(frozen=True)
class IntervalRequest:
    """The requested interval.

    Parameters
    ----------
    kind : str, default "auto"
        A name of `infodis_stats.results.error_bars.interval_names`.
    level : float, default 0.95
        Confidence level.
    simultaneous : bool, default False
        Whether all intervals together cover with the confidence level, instead of each.

    Raises
    ------
    InputError
        If there is no such kind, the level is outside (0, 1), or ``simultaneous`` is neither True nor False.
    """

    kind: str = "auto"
    level: float = 0.95
    simultaneous: bool = False

    def __post_init__(self) -> None:
        interval_kind(self.kind)
        check_level(self.level)
        check_flag("simultaneous", self.simultaneous)

    def level_of_each(self, count: int) -> float:
        """Return the confidence level of each of ``count`` intervals."""
        return level_of_each(self.level, count, simultaneous=self.simultaneous)


@dataclass(frozen=True)
class Execution:
    """How the model is run; results under an exact law do not depend on it.

    Parameters
    ----------
    batch_size : int, optional
        Rows per call of the model. None: see `rows_per_call`.
    device : torch.device or str, default "cpu"
    progress : callable or bool, optional
        Called with the number of planned passes that are now done; see `estimators.evaluate`. True: a bar that appears
        after two seconds, in terminals and notebooks.

    Raises
    ------
    InputError
        If the batch size is not a positive integer, the device not a device, or the callback neither a function nor a
        bool.
    """

    batch_size: int | None = None
    device: Device = "cpu"
    progress: Progress | bool | None = None

    def __post_init__(self) -> None:
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size)
        if not isinstance(self.device, torch.device | str):
            raise InputError(f"device must be a torch device such as 'cpu' or 'cuda', got {type(self.device).__name__}")
        self.callback  # noqa: B018  it checks the argument

    @cached_property
    def callback(self) -> Progress | None:
        """The function that is called with the number of planned passes that are now done."""
        return progress_callback(self.progress)

    def draw(
        self,
        model: Model,
        cells: Iterable[Cell],
        seed: Seed,
        *,
        keep_failed: bool = False,
        beside: Beside | None = None,
    ) -> Iterator[Draw]:
        """Sample cells, as `estimators.draw` does."""
        return draw(
            model,
            cells,
            seed,
            batch_size=rows_per_call(model, self.batch_size),
            device=self.device,
            progress=self.callback,
            keep_failed=keep_failed,
            beside=beside,
        )

    def evaluate(self, model: Model, jobs: Iterable[Job]) -> Iterator[Evaluation]:
        """Evaluate jobs, as `estimators.evaluate` does, and keep failed ones."""
        return evaluate(
            model,
            jobs,
            batch_size=rows_per_call(model, self.batch_size),
            device=self.device,
            progress=self.callback,
            keep_failed=True,
        )


def rows_per_call(model: object, batch_size: int | None) -> int | None:
    """Return the rows per call of the model: the batch size if given, else 1,024 for a law and None for a network."""
    return LAW_ROWS if batch_size is None and isinstance(model, Law) else batch_size


def named_estimator(estimator: str | Estimator) -> Estimator:
    """Return the estimator of a name, or the estimator itself. Raises `InputError` if it is neither."""
    chosen = registry.estimator(estimator) if isinstance(estimator, str) else estimator
    if not isinstance(chosen, Estimator):
        raise InputError(f"estimator must be an Estimator or its name, got {type(chosen).__name__}")
    return chosen
