"""Races: questions whose candidates are sampled with shared masks, until their winners are settled.

All candidates of a question have the same masks, as far as their lengths allow. The passes of all rounds are regressed
together, and candidates are compared by the differences of their residuals pass by pass. After each round, candidates
that are significantly worse than the leader drop out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from estimators import Cell, Draw, Estimator, Evaluation, Job, MaskPlan, Model
from estimators.auto import Auto
from estimators.errors import InputError
from estimators.masked.regression import Regression
from estimators.masked.regression.rounds import RegressionRound, pooled, residual_variance
from estimators.model import in_blocks, is_consistent, prices_masks
from estimators.reduction import Reduction
from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.estimates.questions import OPENING, Budget, Finish, Question
from infodis_stats.estimates.settings import Execution, named_estimator
from infodis_stats.estimates.target_samples import LEVEL, TargetSample, error_and_cautions, has_no_error
from infodis_stats.results.missed import rule_of_three

__all__ = ["grows", "race"]

FloatArray = NDArray[np.float64]

FREE = 15  # passes in which a target is exact from the first round on: 4 positions
SMALLEST = 2  # sizes with a pass of their own in the second round: few other passes have them
TOGETHER = 64  # questions whose passes share batches
DRAWS = 4000  # of the winner, given the estimates and their errors


def grows(estimator: Estimator, model: Model) -> bool:
    """Return whether samples of this estimator grow round by round: ``auto``, if the model prices masked tokens."""
    return isinstance(estimator, Auto) and prices_masks(model)


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
    pooling = grows(chosen, model)
    if budget.passes is None and not pooling:
        what = f"the estimator {chosen.name}" if prices_masks(model) else "a model that prices no masked tokens"
        raise InputError(f"{what} needs a fixed number of passes, passes=; races and precisions are for auto, on masks")
    sampled = chosen if budget.passes is not None and (budget.passes < OPENING or not pooling) else None
    root = root_seed(seed)
    for start in range(0, len(questions), TOGETHER):
        races = [_Race(question, model, budget, root, sampled) for question in questions[start : start + TOGETHER]]
        running, yielded = races, 0
        while running:
            jobs = [each.jobs() for each in running]
            evaluations = execution.evaluate(model, itertools.chain.from_iterable(jobs))
            for each, own in zip(running, jobs, strict=True):
                each.take(list(itertools.islice(evaluations, len(own))))
            running = [each for each in running if not each.done]
            for each in itertools.takewhile(lambda each: each.done, races[yielded:]):
                yielded += 1
                yield each.finish()


class _Gap(NamedTuple):
    # A difference of two scores, and how far it may be off by what the passes missed.
    estimate: float
    error: float
    degrees: float
    margin: float
    negligible: bool  # whether the error is that of rounding


class _Race:
    # The state of one question between rounds.

    def __init__(
        self, question: Question, model: Model, budget: Budget, root: np.random.SeedSequence, sampled: Estimator | None
    ) -> None:
        self.question, self.model, self.budget, self.root, self.sampled = question, model, budget, root, sampled
        self.samples = [TargetSample(in_blocks(target, model)) for target in question.targets]
        self.sizes = budget.rounds()
        self.round = 0  # rounds that all running targets have had
        self.catching_up = False
        self.problem: str | None = None
        self.done = False
        self.running = np.arange(len(self.samples))  # targets that are sampled in the next round
        self.evidence = {name: np.ones((len(rows), len(rows))) for name, rows in question.scores.items()}
        # Of each candidate that dropped out, its last differences: to the leader that beat it, and to all others left.
        self.lag: dict[str, dict[int, _Gap]] = {name: {} for name in question.scores}
        self.last: dict[str, dict[int, dict[int, _Gap]]] = {name: {} for name in question.scores}
        self.planned: list[tuple[TargetSample, Estimator, RegressionRound | None]] = []

    # -- rounds

    def jobs(self) -> list[Job]:
        """Plan the next round: targets that are exact in its passes are evaluated alone."""
        self.planned, jobs = [], []
        for sample in (self.samples[index] for index in self.running):
            target = sample.target
            number = len(sample.rounds)
            passes = self._passes_alone(number)
            estimator = self._alone(sample, passes)
            if estimator is not None:
                keys = (target.key, estimator.stream_name, str(passes))
                plan = estimator.plan_target(target, passes, 1, stream(self.root, *keys))
                self.planned.append((sample, estimator, None))
            else:
                each = RegressionRound(opening=number == 0, smallest=SMALLEST if number == 1 else 0)
                keys = (target.key, each.name, str(number))
                plan = each.plan_target(target, self.sizes[number], 1, stream(self.root, *keys))
                self.planned.append((sample, each, each))
            jobs.append(Job(target, plan))
        return jobs

    def _passes_alone(self, number: int) -> int:
        # Of an estimator that needs all its passes at once, in the round of this number.
        passes = sum(self.sizes[: number + 1])
        return passes if self.budget.passes is not None else max(passes, FREE)

    def _alone(self, sample: TargetSample, passes: int) -> Estimator | None:
        # What estimates a target in one round; None where rounds are pooled.
        if self.sampled is not None:
            return self.sampled.settled(sample.target, passes, self.model)
        estimator = Auto().settled(sample.target, passes, self.model)
        if not (estimator.exact or (is_consistent(self.model) and estimator.exact_when_consistent)):
            return None
        needed = 2**sample.target.longest_block - 1 if estimator.exact else passes
        affordable = not sample.rounds or sample.forward_passes + needed <= self.budget.most_passes
        return estimator if affordable else None

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

    def _estimate(self, sample: TargetSample, estimator: Estimator, evaluation: Evaluation) -> None:
        cell = Cell(estimator, sample.target, self._passes_alone(len(sample.rounds)), 1)
        draw = Draw.of(cell, [evaluation])
        sample.replace_draw(draw, exact=has_no_error(estimator, evaluation, self.model))
        parts = draw.parts[0]
        sample.residuals = parts - parts.mean() if len(parts) > 1 else np.empty(0)
        sample.masked = np.empty(0)

    def _pool(self, samples: list[TargetSample]) -> None:
        # Targets of equal lengths have equal masks, and share the expensive steps.
        alike: dict[object, list[TargetSample]] = {}
        for sample in samples:
            key = (sample.target.key, sample.plans[0].block_lengths, len(sample.rounds))
            alike.setdefault(key, []).append(sample)
        for group in alike.values():
            results = pooled(group[0].rounds, group[0].plans, [sample.losses for sample in group])
            for sample, result in zip(group, results, strict=True):
                evaluation = Evaluation(sample.target, result.plan, result.losses, sample.forward_passes)
                cell = Cell(Regression(), sample.target, result.plan.passes, 1)
                reduction = Reduction(np.array([result.estimate]), result.variance)
                draw = Draw(cell, reduction, (evaluation,))
                sample.replace_draw(draw, exact=has_no_error(Regression(), evaluation, self.model))
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

    def _gap(self, row: FloatArray) -> _Gap:
        estimate, error, degrees = self._difference(row)
        negligible = bool(error <= analysis.rounding(np.array(estimate)))
        return _Gap(estimate, error, degrees, self._margin(row, 0.0 if negligible else error), negligible)

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
                gap = self._gap(row)
                rounding = float(analysis.rounding(np.abs(row) @ self._estimates))
                if gap.estimate <= max(gap.margin, rounding):
                    continue
                p_value = 0.0 if gap.negligible else float(special.stdtr(gap.degrees, -gap.estimate / gap.error))
                evidence[leader, other] = min(evidence[leader, other], p_value)
            left = self._alive(name)
            for other in np.setdiff1d(alive, left).tolist():
                self.last[name][other] = {rival: self._gap(rows[other] - rows[rival]) for rival in left.tolist()}
                self.lag[name][other] = self.last[name][other][leader]

    def _p_values(self, name: str) -> FloatArray:
        # Of each candidate: that it is the model's own winner although another one beats it.
        evidence = self.evidence[name]
        count = self.budget.comparisons(self.question.scores[name])
        corrected: FloatArray = np.minimum(1.0, evidence.min(axis=0) * count)
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

    def _precise(self, sample: TargetSample) -> bool:
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
            return Finish.failed(self.question, passes, lengths, self.problem)
        bars = [error_and_cautions(sample) for sample in self.samples]
        leaders = {name: int((rows @ self._estimates).argmin()) for name, rows in self.question.scores.items()}
        gaps = {name: self._gaps(name, leader) for name, leader in leaders.items()}
        rejected = {name: self._rejected(name, leader, gaps[name]) for name, leader in leaders.items()}
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
            win={name: self._win(name, leader, gaps[name]) for name, leader in leaders.items()},
            gaps={name: of_score[:, :3] for name, of_score in gaps.items()},
            margins={name: of_score[:, 3] for name, of_score in gaps.items()},
            cautions=tuple(cautions for _, _, cautions in bars),
            residuals=tuple(np.empty(0) if sample.exact else sample.residuals for sample in self.samples),
        )

    def _gaps(self, name: str, leader: int) -> FloatArray:
        # To the leader: estimate, standard error, degrees, margin. Of a candidate that dropped out, the last difference
        # that was paired: it has fewer passes than the leader.
        rows = self.question.scores[name]
        last = self.last[name] if leader == self._leader(name) else {}
        gaps = [
            last[other][leader] if other in last else self._gap(row - rows[leader]) for other, row in enumerate(rows)
        ]
        return np.array([gap[:4] for gap in gaps])

    def _rejected(self, name: str, leader: int, gaps: FloatArray) -> FloatArray:
        # Of each candidate, that it is not the winner; copies of the leader share its win and cannot be wrong. Spread
        # says nothing of a bias.
        rows = self.question.scores[name]
        others = (rows != rows[leader]).any(axis=1)
        known = np.isfinite(gaps[others, 1]).all() and all(sample.unbiased for sample in self.samples)
        p_values = np.where(others, self._p_values(name) if known else np.nan, 0.0)
        p_values[leader] = 1.0
        return p_values

    def _win(self, name: str, leader: int, gaps: FloatArray) -> FloatArray:
        # Student's t around the gaps to the leader, with the correlation of their residuals where they are paired. What
        # is worse than an earlier leader, which is still worse than this one, is so by its gap to the earlier one.
        rows = self.question.scores[name]
        win = np.zeros(len(rows))
        others = np.flatnonzero((rows != rows[leader]).any(axis=1))
        lag = self.lag[name] if leader == self._leader(name) else {}
        used = [lag[other][:4] if other in lag else gaps[other] for other in others.tolist()]
        estimates, errors, degrees, _ = np.array(used).reshape(-1, 4).T
        if not len(others) or np.isnan(errors).any():
            win[leader] = 1.0 if not len(others) else np.nan
            return win if not len(others) else np.full(len(rows), np.nan)
        noise = self._noise(rows[others] - rows[leader], degrees)
        drawn = np.column_stack([np.zeros(len(noise)), estimates + errors * noise])
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
