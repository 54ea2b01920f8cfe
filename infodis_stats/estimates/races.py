"""Races: questions whose candidates are sampled with shared masks, until their winners are settled.

All candidates of a question have the same masks, as far as their lengths allow. The passes of all rounds are regressed
together, and candidates are compared by the differences of their residuals pass by pass. After each round, candidates
that are significantly worse than the leader drop out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import special

from estimators import Cell, Draw, Estimator, Evaluation, Job, MaskPlan, Model, Target
from estimators.arguments import check_count, check_share
from estimators.auto import Auto
from estimators.errors import InputError
from estimators.masked.regression import Regression
from estimators.masked.regression.rounds import RegressionRound, pooled, residual_variance
from estimators.model import in_blocks, is_consistent, prices_masks
from estimators.reduction import Reduction
from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.estimates.cautions import cautions_of_draws
from infodis_stats.estimates.draw_statistics import DrawStatistics
from infodis_stats.estimates.settings import Execution, named_estimator
from infodis_stats.results.missed import is_exact, rule_of_three, unseen_sizes
from infodis_stats.results.validity import cautions_of

__all__ = ["Budget", "Finish", "Question", "race"]

FloatArray = NDArray[np.float64]

OPENING = 9  # passes of the first round: eight residuals, and the mask that hides everything
FREE = 15  # passes in which a target is exact from the first round on: 4 positions
TOGETHER = 64  # questions whose passes share batches
LEVEL = 0.95  # of the intervals that a precision is about
DRAWS = 4000  # of the winner, given the estimates and their errors


@dataclass(frozen=True, eq=False)
class Question:
    """Candidates of which one wins, by one or several scores.

    Parameters
    ----------
    name : str
        Names the question in messages.
    targets : tuple of Target
        What is scored; contexts and lengths may differ. Targets with equal keys share their masks.
    scores : mapping of str to array of float64, shape (candidate, target)
        By name: the scores of the candidates are minus this matrix times the negative log-likelihoods of the targets.
        The largest wins; of equal rows the first.

    Examples
    --------
    >>> from estimators import make_targets
    >>> targets = tuple(make_targets([[0, 1], [0, 1, 1]]))
    >>> question = Question("which?", targets, {"sum": np.eye(2), "per token": np.diag([1 / 2, 1 / 3])})
    >>> list(question.scores)
    ['sum', 'per token']
    """

    name: str
    targets: tuple[Target, ...]
    scores: Mapping[str, FloatArray]


@dataclass(frozen=True)
class Budget:
    """When to stop.

    Parameters
    ----------
    error : float, optional
        Races end when the winners by all scores are settled, each with this probability of being wrong.
    passes : int, optional
        Every target gets this number of passes.
    precision : float, optional
        Targets are sampled until their 95 % intervals have this half-width, nats.
    most_passes : int, default 128
        Per target, unless ``passes`` is given.

    Raises
    ------
    InputError
        If a number is out of range, or not exactly one of error, passes and precision is given.
    """

    error: float | None = 0.01
    passes: int | None = None
    precision: float | None = None
    most_passes: int = 128

    def __post_init__(self) -> None:
        given = [name for name in ("error", "passes", "precision") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(f"a budget needs one of error, passes and precision, got {', '.join(given) or 'none'}")
        if self.error is not None:
            check_share("error", self.error)
        if self.passes is not None:
            check_count("passes", self.passes)
        check_count("most_passes", self.most_passes)
        precision = self.precision
        if precision is not None and not (
            isinstance(precision, int | float) and not isinstance(precision, bool) and 0.0 < precision < float("inf")
        ):
            raise InputError(f"precision must be a positive number of nats, got {precision!r}")
        if self.passes is None and self.most_passes < OPENING:
            raise InputError(
                f"most_passes must be at least {OPENING}, of which an error can be estimated, got {self.most_passes}"
            )

    def rounds(self) -> list[int]:
        """Return the passes of each round: the drawn ones double, up to the budget.

        Examples
        --------
        >>> Budget().rounds(), Budget(error=None, passes=32).rounds()
        ([9, 8, 16, 32, 63], [32])
        """
        if self.passes is not None:
            return [self.passes]
        rounds, total = [OPENING], OPENING
        while total < self.most_passes:
            more, left = total - 1, self.most_passes - total
            rounds.append(left if left < more + total // 2 else more)
            total += rounds[-1]
        return rounds


@dataclass(frozen=True, eq=False)
class Finish:
    """What came of a question.

    Attributes
    ----------
    nll, nll_se, degrees : arrays of float64, shape (target,)
        Estimates in nats, standard errors (NaN where unknown, 0 where exact) and their degrees of freedom.
    forward_passes, length : arrays of int64, shape (target,)
        Passes run, and scored positions.
    leaders : mapping of str to int
        By score, the candidate with the largest one.
    p_values : mapping of str to float
        Of the claim that the leader is the model's own winner; NaN where no error is known.
    rejected : mapping of str to array of float64, shape (candidate,)
        p-values of the claims that a candidate is not the model's own winner; 1 for the leader.
    settled : mapping of str to bool
        Whether that p-value is at most the error of the budget; with another budget, 0.05.
    win : mapping of str to array of float64, shape (candidate,)
        Probability that a candidate is the model's own winner, given the estimates and their errors.
    cautions : tuple of tuples of str
        Keys of the cautions of each target.
    residuals : tuple of arrays of float64, shape (drawn passes,)
        Of each target: how far each of its passes moves the estimate off, nats; empty where exact or unknown.
    problem : str, optional
        How the model failed; all numbers are then NaN.
    """

    nll: FloatArray
    nll_se: FloatArray
    degrees: FloatArray
    forward_passes: NDArray[np.int64]
    length: NDArray[np.int64]
    leaders: Mapping[str, int]
    p_values: Mapping[str, float]
    rejected: Mapping[str, FloatArray]
    settled: Mapping[str, bool]
    win: Mapping[str, FloatArray]
    cautions: tuple[tuple[str, ...], ...]
    residuals: tuple[FloatArray, ...]
    problem: str | None = None


def race(
    model: Model,
    questions: Sequence[Question],
    *,
    budget: Budget,
    estimator: str | Estimator = "auto",
    seed: int = 0,
    execution: Execution | None = None,
) -> Iterator[Finish]:
    """Answer questions by the likelihoods of their candidates, lazily and in order.

    Parameters
    ----------
    model : Model
    questions : sequence of Question
        The numbers of one do not depend on the others.
    budget : Budget
    estimator : str or Estimator, default "auto"
        Other estimators take a budget of fixed passes, and so do models that price no masked tokens.
    seed : int, default 0
    execution : Execution, optional

    Yields
    ------
    Finish

    Raises
    ------
    InputError, ModelError
        If an argument is wrong. A question on which the model fails is yielded with its problem.

    Notes
    -----
    Targets of so few positions that all masks fit into the passes are exact, in 15 passes or fewer from the first round
    on: a single token costs one. Elsewhere the first round has 9 passes and the number of drawn ones doubles; all are
    regressed together (`estimators.masked.regression.rounds`), which costs nothing against a regression of as many
    passes planned at once. The difference of two candidates has Student's t interval from the residuals of its passes.
    With ``k`` candidates and ``n`` rounds, a candidate drops out if it is worse with a one-sided p-value of at most
    ``error / (n (k - 1))``. By Bonferroni's inequality, the model's own winner then drops out with probability at most
    ``error``, as far as the intervals hold. A difference within what the passes may have missed
    (`infodis_stats.results.missed`) settles nothing.

    References
    ----------
    Jeon, Shin, Jeon, No, Information-Theoretic Discrete Diffusion, NeurIPS 2025, arXiv 2510.24088: candidates with the
    same masks (Equation 18). E. Even-Dar, S. Mannor, Y. Mansour, Action elimination and stopping conditions for the
    multi-armed bandit and reinforcement learning problems, J. Machine Learning Research 7, 2006.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> from estimators import make_targets
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> targets = tuple(make_targets(law.encode(["ACGTACGT", "ACAAAAAA"]), context=2))
    >>> (finish,) = race(law, [Question("which?", targets, {"sum": np.eye(2)})], budget=Budget())
    >>> finish.leaders["sum"], finish.settled["sum"], finish.nll_se.tolist()
    (1, True, [0.0, 0.0])
    """
    chosen, execution = named_estimator(estimator), execution or Execution()
    grows = isinstance(chosen, Auto) and prices_masks(model)
    if budget.passes is None and not grows:
        what = f"the estimator {chosen.name}" if prices_masks(model) else "a model that prices no masked tokens"
        raise InputError(f"{what} needs a fixed number of passes; races and precisions are for auto, on masks")
    sampled = chosen if budget.passes is not None and (budget.passes < OPENING or not grows) else None
    root = root_seed(seed)
    for start in range(0, len(questions), TOGETHER):
        races = [_Race(question, model, budget, root, sampled) for question in questions[start : start + TOGETHER]]
        running = races
        while running:
            jobs = [each.jobs() for each in running]
            evaluations = execution.evaluate(model, itertools.chain.from_iterable(jobs))
            for each, own in zip(running, jobs, strict=True):
                each.take(list(itertools.islice(evaluations, len(own))))
            running = [each for each in running if not each.done]
        yield from (each.finish() for each in races)


@dataclass(eq=False)
class _Sample:
    # What is known of a target: its rounds so far, or an estimate by another estimator, and the passes they cost.
    target: Target
    rounds: list[RegressionRound] = field(default_factory=list)
    plans: list[MaskPlan] = field(default_factory=list)
    losses: list[FloatArray] = field(default_factory=list)
    forward_passes: int = 0
    draw: Draw | None = None
    residuals: FloatArray = field(default_factory=lambda: np.empty(0))
    masked: FloatArray = field(default_factory=lambda: np.empty(0))

    @property
    def known(self) -> Draw:
        assert self.draw is not None
        return self.draw

    @property
    def exact(self) -> bool:
        return is_exact(self.known)

    @property
    def estimate(self) -> float:
        return float(self.known.estimates[0])

    @cached_property
    def unseen(self) -> float:
        """What sizes without a pass may hold, nats."""
        return 0.0 if self.exact else float(unseen_sizes(self.known.evaluations[0], 1)[0])

    @property
    def lost(self) -> float:
        return 0.0 if self.exact else float(self.known.evaluations[0].position_losses.sum())

    def replace_draw(self, draw: Draw) -> None:
        self.draw = draw
        self.__dict__.pop("unseen", None)


class _Race:
    # The state of one question between rounds.

    def __init__(
        self, question: Question, model: Model, budget: Budget, root: np.random.SeedSequence, sampled: Estimator | None
    ) -> None:
        self.question, self.model, self.budget, self.root, self.sampled = question, model, budget, root, sampled
        self.samples = [_Sample(in_blocks(target, model)) for target in question.targets]
        self.sizes = budget.rounds()
        self.round = 0  # rounds that all running targets have had
        self.catching_up = False
        self.problem: str | None = None
        self.done = False
        self.running = np.arange(len(self.samples))  # targets that are sampled in the next round
        self.evidence = {name: np.ones((len(rows), len(rows))) for name, rows in question.scores.items()}
        # Of each candidate the last difference to a leader: estimate, standard error, degrees.
        self.lag: dict[str, dict[int, tuple[float, float, float]]] = {name: {} for name in question.scores}
        self.planned: list[tuple[_Sample, Estimator, RegressionRound | None]] = []

    # -- rounds

    def jobs(self) -> list[Job]:
        """Plan the next round: targets that are exact in its passes are evaluated alone."""
        self.planned, jobs = [], []
        for sample in (self.samples[index] for index in self.running):
            target = sample.target
            number = len(sample.rounds)
            passes = self._passes_alone(number)
            estimator = self._alone(target, passes)
            if estimator is not None:
                keys = (target.key, estimator.stream_name, str(passes))
                plan = estimator.plan_target(target, passes, 1, stream(self.root, *keys))
                self.planned.append((sample, estimator, None))
            else:
                each = RegressionRound(opening=number == 0)
                keys = (target.key, each.name, str(number))
                plan = each.plan_target(target, self.sizes[number], 1, stream(self.root, *keys))
                self.planned.append((sample, each, each))
            jobs.append(Job(target, plan))
        return jobs

    def _passes_alone(self, number: int) -> int:
        # Of an estimator that needs all its passes at once, in the round of this number.
        passes = sum(self.sizes[: number + 1])
        return passes if self.budget.passes is not None else max(passes, FREE)

    def _alone(self, target: Target, passes: int) -> Estimator | None:
        # What estimates a target in one round; None where rounds are pooled.
        if self.sampled is not None:
            return self.sampled.settled(target, passes, self.model)
        estimator = Auto().settled(target, passes, self.model)
        consistent = is_consistent(self.model) and estimator.exact_when_consistent
        return estimator if estimator.exact or consistent else None

    def take(self, evaluations: list[Evaluation]) -> None:
        """Take the losses of a round; then stop, or decide what runs on."""
        for (sample, estimator, each), evaluation in zip(self.planned, evaluations, strict=True):
            sample.forward_passes += evaluation.forward_passes
            if evaluation.problem is not None:
                self.problem = f"{sample.target.label}: {evaluation.problem}"
                self.done = True
                return
            if each is None:
                self._estimate(sample, estimator, evaluation)
            else:
                assert isinstance(evaluation.plan, MaskPlan)
                sample.rounds.append(each)
                sample.plans.append(evaluation.plan)
                sample.losses.append(evaluation.losses)
        self._pool([sample for sample, _, each in self.planned if each is not None])
        if not self.catching_up:
            self.round += 1
            self._compare()
        self._decide()

    def _estimate(self, sample: _Sample, estimator: Estimator, evaluation: Evaluation) -> None:
        cell = Cell(estimator, sample.target, self._passes_alone(len(sample.rounds)), 1)
        draw = Draw.of(cell, [evaluation])
        sample.replace_draw(draw)
        parts = draw.parts[0]
        sample.residuals = parts - parts.mean() if len(parts) > 1 else np.empty(0)
        sample.masked = np.empty(0)

    def _pool(self, samples: list[_Sample]) -> None:
        # Targets of equal lengths have equal masks, and share the expensive steps.
        alike: dict[object, list[_Sample]] = {}
        for sample in samples:
            key = (sample.target.key, sample.plans[0].block_lengths, len(sample.rounds))
            alike.setdefault(key, []).append(sample)
        for group in alike.values():
            results = pooled(group[0].rounds, group[0].plans, [sample.losses for sample in group])
            for sample, result in zip(group, results, strict=True):
                evaluation = Evaluation(sample.target, result.plan, result.losses, sample.forward_passes)
                cell = Cell(Regression(), sample.target, result.plan.passes, 1)
                reduction = Reduction(np.array([result.estimate]), result.variance)
                sample.replace_draw(Draw(cell, reduction, (evaluation,)))
                sample.residuals, sample.masked = result.residuals, result.masked

    # -- comparisons

    def _difference(self, row: FloatArray) -> tuple[float, float, float]:
        # Of a combination of negative log-likelihoods: its estimate, standard error (NaN if unknown) and degrees.
        used = np.flatnonzero(row)
        estimate = float(sum(row[index] * self.samples[index].estimate for index in used))
        random = [index for index in used if not self.samples[index].exact]
        if not random:
            return estimate, 0.0, np.inf
        residuals = [self.samples[index].residuals for index in random]
        if len(residuals[0]) and len({len(each) for each in residuals}) == 1:
            combined = np.asarray(sum(row[index] * each for index, each in zip(random, residuals, strict=True)))
            masked = self.samples[random[0]].masked
            if len(masked):
                within = residual_variance(combined, masked)
                return estimate, float(np.sqrt(within.variance[0])), float(within.degrees[0])
            count = len(combined)
            return estimate, float(combined.std(ddof=1) / np.sqrt(count)), count - 1.0
        variances = [self.samples[index].known.within_variance for index in random]
        if any(variance is None for variance in variances):
            return estimate, np.nan, np.nan
        total = sum(
            row[index] ** 2 * float(variance.variance[0])
            for index, variance in zip(random, variances, strict=True)
            if variance is not None
        )
        degrees = min(float(variance.degrees[0]) for variance in variances if variance is not None)
        return estimate, float(np.sqrt(total)), degrees

    def _margin(self, row: FloatArray, error: float) -> float:
        # How far a difference may be off by what the passes missed.
        used = [(abs(row[index]), self.samples[index]) for index in np.flatnonzero(row)]
        margin = max((weight * sample.unseen for weight, sample in used), default=0.0)
        if error == 0.0 and not all(sample.exact for _, sample in used):
            passes = max(sample.known.cell.passes for _, sample in used)
            margin = max(margin, *(rule_of_three(passes, LEVEL) * weight * sample.lost for weight, sample in used))
        return margin

    def _compare(self) -> None:
        # Test whether each score's leader is better than each other candidate that may still win.
        for name, rows in self.question.scores.items():
            evidence, alive = self.evidence[name], self._alive(name)
            leader = self._leader(name)
            for other in alive:
                row = rows[other] - rows[leader]
                if other == leader or not row.any():
                    continue
                gap, error, degrees = self.lag[name][int(other)] = self._difference(row)
                if not error <= 0.0:
                    error = 0.0 if error <= analysis.rounding(np.array(gap)) else error
                if gap <= self._margin(row, error):
                    continue
                p_value = 0.0 if error == 0.0 else float(special.stdtr(degrees, -gap / error))
                evidence[leader, other] = min(evidence[leader, other], p_value)

    def _p_values(self, name: str) -> FloatArray:
        # Of each candidate: that it is the model's own winner although another one beats it.
        evidence = self.evidence[name]
        rows = self.question.scores[name]
        single = evidence.min(axis=0)
        others = len(np.unique(rows, axis=0)) - 1
        corrected: FloatArray = np.minimum(1.0, single * max(others, 1) * len(self.sizes))
        return corrected

    def _alive(self, name: str) -> NDArray[np.int64]:
        if self.budget.error is None:
            return np.arange(len(self.question.scores[name]))
        return np.flatnonzero(self._p_values(name) > self.budget.error)

    def _leader(self, name: str) -> int:
        rows, alive = self.question.scores[name], self._alive(name)
        return int(alive[(rows[alive] @ self._estimates).argmin()])

    def _open(self, name: str) -> NDArray[np.int64]:
        # Candidates that may still win, but for copies of the leader.
        rows, alive, leader = self.question.scores[name], self._alive(name), self._leader(name)
        differ = (rows[alive] != rows[leader]).any(axis=1)
        return np.append(alive[differ], leader) if differ.any() else np.empty(0, dtype=np.int64)

    def _decide(self) -> None:
        needed = np.zeros(len(self.samples), dtype=bool)
        if self.round < len(self.sizes) and not self.catching_up:
            if self.budget.error is not None:
                for name, rows in self.question.scores.items():
                    needed |= (rows[self._open(name)] != 0).any(axis=0)
            else:
                needed |= [not self._precise(sample) for sample in self.samples]
            needed &= [not sample.exact for sample in self.samples]
        if not needed.any():
            self.catching_up = True
            needed |= self._behind()
        self.running = np.flatnonzero(needed)
        self.done = not len(self.running)

    def _behind(self) -> NDArray[np.bool_]:
        # Targets that dropped out by paired differences and yet have the best estimate, which is of fewer passes.
        behind = np.zeros(len(self.samples), dtype=bool)
        for name, rows in self.question.scores.items():
            first = int((rows @ self._estimates).argmin())
            if (rows[first] != rows[self._leader(name)]).any():
                behind |= rows[first] != 0
        return behind & [not sample.exact and len(sample.rounds) < self.round for sample in self.samples]

    @property
    def _estimates(self) -> FloatArray:
        return np.array([sample.estimate for sample in self.samples])

    def _precise(self, sample: _Sample) -> bool:
        assert self.budget.precision is not None
        within = sample.known.within_variance
        if sample.exact or within is None:
            return sample.exact
        half_width = special.stdtrit(within.degrees[0], (1 + LEVEL) / 2) * np.sqrt(within.variance[0])
        return bool(half_width + sample.unseen <= self.budget.precision)

    # -- the end

    def finish(self) -> Finish:
        """Return the result."""
        passes = np.array([sample.forward_passes for sample in self.samples])
        lengths = np.array([sample.target.length for sample in self.samples])
        if self.problem is not None:
            return _failed(self.question, passes, lengths, self.problem)
        bars = [_statistics(sample.known) for sample in self.samples]
        leaders = {name: int((rows @ self._estimates).argmin()) for name, rows in self.question.scores.items()}
        rejected = {name: self._rejected(name, leader) for name, leader in leaders.items()}
        p_values = {name: float(np.delete(each, leaders[name]).max(initial=0.0)) for name, each in rejected.items()}
        error = 0.05 if self.budget.error is None else self.budget.error
        return Finish(
            nll=self._estimates,
            nll_se=np.array([error for error, _, _ in bars]),
            degrees=np.array([degrees for _, degrees, _ in bars]),
            forward_passes=passes,
            length=lengths,
            leaders=leaders,
            p_values=p_values,
            rejected=rejected,
            settled={name: p_value <= error for name, p_value in p_values.items()},
            win={name: self._win(name, leader) for name, leader in leaders.items()},
            cautions=tuple(cautions for _, _, cautions in bars),
            residuals=tuple(np.empty(0) if sample.exact else sample.residuals for sample in self.samples),
        )

    def _rejected(self, name: str, leader: int) -> FloatArray:
        # Of each candidate, that it is not the winner; copies of the leader share its win and cannot be wrong.
        rows = self.question.scores[name]
        others = (rows != rows[leader]).any(axis=1)
        known = [self._difference(row - rows[leader])[1] for row in rows[others]]
        p_values = np.where(others, self._p_values(name) if np.isfinite(known).all() else np.nan, 0.0)
        p_values[leader] = 1.0
        return p_values

    def _win(self, name: str, leader: int) -> FloatArray:
        # Student's t around the gaps to the leader, with the correlation of their residuals where they are paired.
        rows = self.question.scores[name]
        win = np.zeros(len(rows))
        others = np.flatnonzero((rows != rows[leader]).any(axis=1))
        # Of a candidate that dropped out, the last difference that was paired: it has fewer passes than the leader.
        lag = self.lag[name] if leader == self._leader(name) else {}
        alive = set(self._alive(name).tolist())
        differences = [
            lag[other] if other in lag and other not in alive else self._difference(rows[other] - rows[leader])
            for other in others.tolist()
        ]
        gaps, errors, degrees = np.array(differences).reshape(-1, 3).T
        if not len(others) or np.isnan(errors).any():
            win[leader] = 1.0 if not len(others) else np.nan
            return win if not len(others) else np.full(len(rows), np.nan)
        noise = self._noise(rows[others] - rows[leader], degrees)
        drawn = np.column_stack([np.zeros(len(noise)), gaps + errors * noise])
        counts = np.bincount(drawn.argmin(axis=1), minlength=len(others) + 1) / len(noise)
        win[leader], win[others] = counts[0], counts[1:]
        return win

    def _noise(self, differences: FloatArray, degrees: FloatArray) -> FloatArray:
        rng = stream(self.root, self.samples[0].target.key, "winner")
        longest = max(len(sample.residuals) for sample in self.samples)
        residuals = np.zeros((len(differences), longest))
        for number, row in enumerate(differences):
            for index in np.flatnonzero(row):
                own = self.samples[index].residuals
                residuals[number, : len(own)] += row[index] * own
        norms = np.sqrt((residuals**2).sum(axis=1))
        alone = norms == 0.0
        directions = np.divide(residuals, norms[:, None], out=np.zeros_like(residuals), where=~alone[:, None])
        normal = rng.standard_normal((DRAWS, longest)) @ directions.T
        normal[:, alone] = rng.standard_normal((DRAWS, int(alone.sum())))
        finite = np.where(np.isfinite(degrees), degrees, 1e9)
        scale: FloatArray = np.sqrt(finite / rng.chisquare(finite, size=(DRAWS, len(finite))))
        drawn: FloatArray = normal * scale
        return drawn


def _statistics(draw: Draw) -> tuple[float, float, tuple[str, ...]]:
    # Standard error and degrees of freedom, NaN where the passes do not say, and the keys of the cautions.
    if draw.within_variance is None and len(draw.parts[0]) < 2:
        by_construction = cautions_of(cast("Estimator", draw.cell.sampler), np.inf)
        return np.nan, np.nan, (*(caution.key for caution in by_construction), "no-error")
    statistics = DrawStatistics.of(draw, "auto", LEVEL)
    (cautions,) = cautions_of_draws([statistics])
    return statistics.bar.standard_error, statistics.bar.degrees, tuple(caution.key for caution in cautions)


def _failed(question: Question, passes: NDArray[np.int64], lengths: NDArray[np.int64], problem: str) -> Finish:
    unknown = np.full(len(question.targets), np.nan)
    return Finish(
        nll=unknown,
        nll_se=unknown,
        degrees=unknown,
        forward_passes=passes,
        length=lengths,
        leaders=dict.fromkeys(question.scores, -1),
        p_values=dict.fromkeys(question.scores, float("nan")),
        rejected={name: np.full(len(rows), np.nan) for name, rows in question.scores.items()},
        settled=dict.fromkeys(question.scores, False),
        win={name: np.full(len(rows), np.nan) for name, rows in question.scores.items()},
        cautions=((),) * len(question.targets),
        residuals=(np.empty(0),) * len(question.targets),
        problem=problem,
    )
