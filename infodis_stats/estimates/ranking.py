"""Ranking: the likeliest of several candidates, with no more samples than the decision needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import special

from estimators import Cell, Estimator, Model, ModelError, Regression
from estimators.arguments import check_share
from estimators.auto import Auto
from estimators.evaluate import Progress
from estimators.model import in_blocks
from estimators.target import Context, Tokens
from infodis_stats.estimates.contest import Contest, Ranking
from infodis_stats.estimates.outcome import IMPOSSIBLE, exact_nlls
from infodis_stats.estimates.questions import Budget, Finish, Question
from infodis_stats.estimates.races import grows, race
from infodis_stats.estimates.replicate_races import replicate_race
from infodis_stats.estimates.settings import Device, Execution, SamplingPlan, named_estimator
from infodis_stats.laws import Law
from infodis_stats.results.labels import CI_BOUND, Variable, describe
from infodis_stats.results.provenance import provenance_attributes
from infodis_stats.results.validity import CAUTIONS, caution_variable

__all__ = ["rank_candidates", "rank_each"]

FloatArray = NDArray[np.float64]

VARIABLES = {
    "leader": Variable(
        "1", "candidate with the smallest negative log-likelihood, in sum or per unit of size as requested"
    ),
    "status": Variable("1", "best, eliminated, or open where the budget is spent"),
    "p_value": Variable("1", "p-value of the claim that the leader is the best"),
}

SCORE = "score"  # the only one of a question
CI_KIND = "student-t"


def rank_candidates(
    model: Model,
    candidates: Tokens,
    estimator: str | Estimator = "auto",
    *,
    context: Context = None,
    error: float = 0.05,
    sizes: ArrayLike | None = None,
    passes: int = 16,
    replicates: int = 8,
    most_passes: int = 4096,
    seed: int = 0,
    names: Sequence[str] | None = None,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Find the likeliest of several sequences that share their context, such as the answers to a question.

    All candidates are sampled with the same masks, in rounds. A candidate that is significantly worse than the leader
    is dropped; the race ends when one candidate is left or the budget is spent.

    Parameters
    ----------
    model : Model
    candidates : array of int, shape (candidate, length), or sequence of arrays of int
        At least 2, context included; lengths may differ.
    estimator : str or Estimator, default "auto"
        With ``auto`` and a model that prices masks, races start at 9 passes and all passes are regressed together.
        Otherwise they are races of replicates.
    context : int, array of bool, sequence of arrays of bool, or None
        As in `estimate_nll`; the given tokens must be the same for all.
    error : float, default 0.05
        Largest probability that the race ends with a wrong leader, or with one of several equally good candidates.
    sizes : array_like, shape (candidate,), optional
        Sizes by which the negative log-likelihoods are divided, such as the numbers of tokens or bytes; default: the
        sums are compared.
    passes : int, default 16
        In races of replicates: forward passes that one replicate may use per candidate.
    replicates : int, default 8
        In races of replicates: those of the first round, at least 2; skewed estimates need more.
    most_passes : int, default 4096
        Budget of passes per candidate.
    seed, names, batch_size, device, progress
        As in `estimate_nll`.

    Returns
    -------
    xarray.Dataset
        Over ``candidate``: ``nll`` in nats, ``log_ratio`` to the leader (per unit of size where that is compared, from
        the passes that both have) and ``log_ratio_ci (candidate, ci_bound)``, ``status`` ("best", "eliminated",
        "open"), ``length``, ``replicates`` (1 where all passes are regressed together), ``forward_passes``, ``cautions
        (candidate, caution)``, and ``exact`` under a law. Scalars: ``leader``, and the ``p_value`` of the claim that it
        is the best.

    Raises
    ------
    InputError, ModelError
        If an argument is wrong, or the model fails on a candidate.

    Notes
    -----
    `infodis_stats.estimates.races` has the method. Its intervals are Student's t with a probability of
    ``error / (n (k - 1))`` on each side for ``k`` candidates and ``n`` rounds, as its p-values: a candidate is
    eliminated if its interval against the leader at that time excludes 0. Each side misses for some candidate with
    probability at most ``error``, so the intervals together have the confidence level ``1 - 2 error``.

    Measured with ``auto`` on arbitrary losses and at most 128 passes: of races between two equal candidates of 10
    positions, 2.7 % are settled at an error of 0.05, and 36 % at 0.5 (300 races, standard errors 0.9 and 3 points). Of
    races of four candidates of 8 positions, 93 % are settled at 0.05, none of them wrongly, and 5 % have an interval
    that misses; a candidate takes 27 passes on average (300 races). Races of replicates of `regression` take 190 there
    and settle 94 % within 4,096 passes (100 races).

    In races of replicates (`infodis_stats.estimates.replicate_races`) the intervals are confidence sequences, and the
    chance that a race ends with a wrong leader, or with an interval that misses, is at most ``error``.

    A gap that is smaller than what the passes may have missed (`infodis_stats.results.missed`) settles nothing.

    References
    ----------
    Jeon, Shin, Jeon, No, Information-Theoretic Discrete Diffusion, NeurIPS 2025, arXiv 2510.24088: all candidates
    with the same masks (Equation 18).

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> result = ids.rank_candidates(law, law.encode(["ACGTACGT", "ACAAAAAA", "ACCCGGTT"]), context=2)
    >>> result["leader"].item(), result["status"].values.tolist()
    (1, ['eliminated', 'best', 'eliminated'])
    """
    contest = Contest.of(candidates, context, sizes, names)
    plan = SamplingPlan(passes, replicates, seed, most_passes=most_passes)
    execution = Execution(batch_size, device, progress)
    (ranking,) = rank_each(model, [contest], estimator, error=error, plan=plan, execution=execution)
    if isinstance(ranking, ModelError):
        raise ranking
    dataset = xr.Dataset(
        {
            "nll": ("candidate", ranking.nll),
            "log_ratio": ("candidate", ranking.log_ratio[:, 0]),
            "log_ratio_ci": (["candidate", CI_BOUND[0]], ranking.log_ratio[:, 1:]),
            "status": ("candidate", ranking.status),
            "length": ("candidate", contest.lengths),
            "replicates": ("candidate", ranking.replicates),
            "forward_passes": ("candidate", ranking.forward_passes),
            **({"exact": ("candidate", _exact(model, contest))} if isinstance(model, Law) else {}),
        },
        coords={"candidate": list(names or range(len(contest.targets))), CI_BOUND[0]: CI_BOUND[1]},
    )
    dataset["leader"] = ((), dataset["candidate"].values[ranking.leader])
    dataset["p_value"] = ((), ranking.p_value)
    dataset = describe(dataset, VARIABLES)
    kind, level = ranking.interval
    words = f"log-likelihood ratio{'' if sizes is None else ' per unit of size'}, candidate over leader"
    dataset["log_ratio"].attrs = {"units": "nat", "long_name": words}
    dataset["log_ratio_ci"].attrs = {
        "units": "nat",
        "long_name": f"confidence interval of the {words}",
        "ci_kind": kind,
        "ci_prob": level,
    }
    dataset["cautions"] = caution_variable(["candidate"], ranking.cautions, [len(ranking.cautions)])
    dataset.attrs = provenance_attributes(
        model,
        ranking.cell,
        [in_blocks(contest.longest, model)],
        seed=seed,
        level=level,
        forward_passes=sum(ranking.forward_passes),
        interval=kind,
        simultaneous=True,
    )
    asked, used = named_estimator(estimator).name, ranking.cell.sampler.name
    if used != asked:
        dataset.attrs |= {"estimator": asked, "choices": json.dumps({used: "the passes of all rounds, taken together"})}
    dataset.attrs |= {"most_passes": most_passes, "per_size": int(sizes is not None)}
    return dataset


def rank_each(
    model: Model,
    contests: Sequence[Contest],
    estimator: str | Estimator = "auto",
    *,
    error: float,
    plan: SamplingPlan,
    execution: Execution,
) -> Iterator[Ranking | ModelError]:
    """Rank the candidates of each contest, lazily and in order; where passes are pooled, contests share batches.

    Parameters
    ----------
    model : Model
    contests : sequence of Contest
    estimator, error
        As in `rank_candidates`.
    plan : SamplingPlan
        The passes and replicates of races of replicates, the budget per candidate and the seed.
    execution : Execution

    Yields
    ------
    Ranking or ModelError
        The error where the model fails on a candidate.

    Raises
    ------
    InputError
        If an argument is wrong.
    """
    chosen = named_estimator(estimator)
    check_share("error", error)
    if not grows(chosen, model):
        for contest in contests:
            yield _by_replicates(model, contest, chosen, error=error, plan=plan, execution=execution)
        return
    budget = Budget(error=error, most_passes=plan.most_passes)
    questions = [_question(contest) for contest in contests]
    finishes = race(model, questions, budget=budget, estimator=chosen, seed=plan.seed, execution=execution)
    for contest, question, finish in zip(contests, questions, finishes, strict=True):
        if finish.problem is not None:
            yield ModelError(finish.problem)
        else:
            yield _pooled(contest, question.scores[SCORE], finish, budget)


def _by_replicates(
    model: Model, contest: Contest, estimator: Estimator, *, error: float, plan: SamplingPlan, execution: Execution
) -> Ranking | ModelError:
    try:
        return replicate_race(model, contest, estimator, error=error, plan=plan, execution=execution)
    except ModelError as problem:
        return problem


def _question(contest: Contest) -> Question:
    # Equal candidates are one target.
    tokens = [target.tokens.tobytes() for target in contest.targets]
    distinct = list(dict.fromkeys(tokens))
    rows = np.array([[float(own == other) for other in distinct] for own in tokens]) / contest.scales[:, None]
    return Question("candidates", tuple(contest.targets[tokens.index(each)] for each in distinct), {SCORE: rows})


def _pooled(contest: Contest, rows: FloatArray, finish: Finish, budget: Budget) -> Ranking:
    assert budget.error is not None
    leader, places = finish.leaders[SCORE], (rows != 0.0).argmax(axis=1)
    copies = (rows == rows[leader]).all(axis=1)  # nothing separates them
    left = copies | ~(finish.rejected[SCORE] <= budget.error)
    status = np.where(left, "open", "eliminated")
    if left.sum() == 1:
        status[left] = "best"
    gaps, errors, degrees = finish.gaps[SCORE].T
    quantiles = -special.stdtrit(degrees, budget.error / budget.comparisons(rows))
    half_widths = np.where(errors == 0.0, 0.0, quantiles * errors) + finish.margins[SCORE]
    first = [int(place) not in places[:index] for index, place in enumerate(places)]
    longest = int(finish.length.argmax())
    exact, passes = finish.nll_se[longest] == 0.0, int(finish.forward_passes[longest])
    return Ranking(
        leader=leader,
        p_value=finish.p_values[SCORE] if copies.sum() == 1 else 1.0,
        status=status.tolist(),
        nll=finish.nll[places],
        log_ratio=np.column_stack([0.0 - gaps, 0.0 - gaps - half_widths, half_widths - gaps]),
        forward_passes=np.where(first, finish.forward_passes[places], 0).tolist(),
        cautions=[[CAUTIONS[key] for key in finish.cautions[place]] for place in places],
        cell=Cell(Auto() if exact else Regression(), contest.longest, passes, 1),
        interval=(CI_KIND, max(0.0, 1 - 2 * budget.error)),
        replicates=[1] * len(places),
    )


def _exact(model: Law, contest: Contest) -> FloatArray:
    exact = exact_nlls(model, contest.targets)
    for target, nll in zip(contest.targets, exact, strict=True):
        if not np.isfinite(nll):
            raise ModelError(f"{target.label}, {IMPOSSIBLE}")
    return exact
