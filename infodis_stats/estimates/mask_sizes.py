"""Contributions of masks of each size to the negative log-likelihood, with confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import Cell, ConditionalModel, Estimator, Evaluation, InputError, make_targets
from estimators.arguments import check_count
from estimators.evaluate import Progress
from estimators.masked.plan import mask_plan
from estimators.model import in_blocks
from estimators.target import Context, Tokens
from infodis_stats.analysis import centred, nonnegative, student_t, variance
from infodis_stats.estimates.cautions import cautions_of_draws
from infodis_stats.estimates.draw_statistics import DrawStatistics
from infodis_stats.estimates.loss_profile import full_masks
from infodis_stats.estimates.outcome import outcome_of
from infodis_stats.estimates.settings import Device, Execution, SamplingPlan, named_estimator
from infodis_stats.results.labels import CI_BOUND, Variable, describe
from infodis_stats.results.provenance import provenance_attributes
from infodis_stats.results.validity import caution_variable

__all__ = ["estimate_sizes", "size_nll"]

VARIABLES = {
    "size_nll": Variable("nat", "contribution of masks of certain sizes to the negative log-likelihood"),
    "size_nll_se": Variable("nat", "standard error of the contribution of masks of certain sizes"),
    "size_nll_ci": Variable("nat", "confidence band of the contributions of masks of certain sizes"),
    "size_nll_replicate": Variable("nat", "contribution of masks of certain sizes, one replicate"),
    "size_share": Variable("1", "share of the negative log-likelihood"),
    "size_loss": Variable("nat", "mean loss of a masked token, averaged over the sizes"),
    "fewest_masked": Variable("1", "fewest masked positions"),
    "most_masked": Variable("1", "most masked positions"),
}


def size_nll(evaluation: Evaluation, edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the contribution of masks of certain sizes to the negative log-likelihood, by replicate.

    Parameters
    ----------
    evaluation : Evaluation
        At least 2 replicates of an unbiased estimator.
    edges : array of int64, shape (bins + 1,)
        Bin ``b`` has the sizes ``edges[b] + 1 .. edges[b + 1]``; together they are ``1..L``.

    Returns
    -------
    array of float64, shape (replicates, bins)
        Nats. The expected weights of an unbiased estimator add up to 1 for each size; in a replicate,
        the missing weight gets the mean loss of the other replicates (`infodis_stats.analysis.centred`), so each bin is
        unbiased for the sum of ``g(m)`` over it.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> (target,) = ids.make_targets(law.sample(1, length=6, seed=1))
    >>> plan = ids.estimator("uniform-count").plan(6, passes=8, replicates=4, rng=np.random.default_rng(0))
    >>> (evaluation,) = ids.evaluate(law, [ids.Job(target, plan)])
    >>> size_nll(evaluation, np.array([0, 3, 6])).shape
    (4, 2)
    """
    return _Passes.of(evaluation).size_nll(edges)


@dataclass(frozen=True, eq=False)
class _Passes:
    # Of each block in each pass (replicates, passes * blocks): masked positions, and the sums of the weights and of the
    # weighted losses; and the number of blocks that have each size.
    sizes: NDArray[np.int64]
    weights: NDArray[np.float64]
    losses: NDArray[np.float64]
    blocks: NDArray[np.float64]

    @classmethod
    def of(cls, evaluation: Evaluation) -> _Passes:
        plan = mask_plan(evaluation.plan, "sizes")
        shape = (plan.replicates, -1)
        weights, losses = (
            plan.by_block(part).reshape(shape) for part in (plan.weights, plan.weights * evaluation.losses)
        )
        return cls(plan.block_sizes.reshape(shape), weights, losses, plan.blocks_by_size.astype(np.float64))

    def widths(self, edges: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the number of sizes in each bin, over all blocks."""
        widths: NDArray[np.float64] = np.add.reduceat(self.blocks, edges[:-1])
        return widths

    def size_nll(self, edges: NDArray[np.int64]) -> NDArray[np.float64]:
        belongs = (np.searchsorted(edges, self.sizes) - 1)[..., None] == np.arange(len(edges) - 1)
        weight = (self.weights[..., None] * belongs).sum(axis=1)
        loss = (self.losses[..., None] * belongs).sum(axis=1)
        return centred(loss, weight, self.widths(edges))


def estimate_sizes(
    model: ConditionalModel,
    tokens: Tokens,
    estimator: str | Estimator = "uniform-count+stratified",
    *,
    bins: int = 8,
    passes: int = 16,
    replicates: int = 8,
    seed: int = 0,
    context: Context = None,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Estimate the contribution of masks of each size to ``-log p(scored tokens | context)``, with a simultaneous band.

    ``NLL = sum_m g(m)``, where ``g(m)`` is the mean loss of a token among ``m`` masked ones; of a block-diffusion
    model, the sum over blocks of the mean loss of a token among ``m`` masked ones of its block. If it rises towards
    ``m = L``, a few revealed tokens determine the rest; a steep rise needs many masks of that size.

    Parameters
    ----------
    model : ConditionalModel
    tokens : array of int, shape (sequence, length), or sequence of arrays of int
    estimator : str or Estimator, default "uniform-count+stratified"
        Must be unbiased.
    bins : int, default 8
        Number of equal parts of ``1..L``, or of the sizes in a block; at most the number of positions of the shortest
        sequence or block.
    passes, replicates, seed, context, names, level, batch_size, device, progress
        As in `estimate_nll`; at least 2 replicates.

    Returns
    -------
    xarray.Dataset
        ``size_nll``, ``size_nll_se (sequence, bin)``, ``size_nll_ci (sequence, bin, ci_bound)`` and
        ``size_nll_replicate (sequence, bin, replicate)`` in nats; over bins they add up to the negative
        log-likelihood. ``size_share (sequence, bin)`` is their share (NaN where the loss is 0),
        ``size_loss (sequence, bin)`` the mean of ``g(m)`` in the bin, ``fewest_masked`` and
        ``most_masked (sequence, bin)`` its sizes. The band holds for all bins of a sequence at once (Bonferroni).
        If the model fails on some sequences, their rows have no estimate, and ``failed (sequence)`` says why.

    Raises
    ------
    InputError, ModelError
        If an argument is wrong, or the model fails on every sequence.

    References
    ----------
    Jeon, Shin, Jeon, No, Information-Theoretic Discrete Diffusion, NeurIPS 2025, arXiv 2510.24088: Equation 15 is the
    sum over sizes.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> sizes = ids.estimate_sizes(law, law.sample(1, length=12, seed=1), bins=3)
    >>> sizes["most_masked"].values, sizes["size_loss"].values.round(1)
    (array([[ 4,  8, 12]]), array([[1. , 1.1, 1.2]]))
    """
    sampler = named_estimator(estimator)
    if not sampler.unbiased:
        raise InputError(
            f"{sampler.name} is biased, so its contributions have no meaning; use uniform-count+stratified"
        )
    check_count("bins", bins)
    plan = SamplingPlan(passes, replicates, seed, fewest_replicates=2)
    execution = Execution(batch_size, device, progress)
    targets = make_targets(tokens, context, names)
    cells = [Cell(sampler, target, plan.passes, plan.replicates) for target in targets]
    drawn = execution.draw(model, cells, plan.seed, keep_failed=True, beside=full_masks([model]))
    statistics, passes_of = [], []
    for draw in drawn:
        statistics.append(DrawStatistics.of(draw, "student-t", level))
        passes_of.append(_Passes.of(draw.evaluations[0]))
    outcome = outcome_of([model], statistics)
    longest = np.array([len(each.blocks) for each in outcome.of_kept(passes_of)])
    edges = np.linspace(0, longest, min(bins, int(longest.min())) + 1, axis=-1).round().astype(np.int64)
    kept = list(zip(outcome.of_kept(passes_of), edges, strict=True))
    parts = np.stack([passes_of_item.size_nll(ends).T for passes_of_item, ends in kept])
    mean, widths = parts.mean(axis=-1), np.stack([each.widths(ends) for each, ends in kept])
    total = mean.sum(axis=-1, keepdims=True)
    share = np.divide(mean, total, out=np.full(mean.shape, np.nan), where=total > 0)
    band = nonnegative(student_t(parts, 1 - (1 - level) / widths.shape[1]), mean)
    dims = ("sequence", "bin")
    labels: list[object] = list(names or range(len(targets)))
    dataset = describe(
        xr.Dataset(
            {
                "size_nll": (dims, mean),
                "size_nll_se": (dims, np.sqrt(variance(parts) / replicates)),
                "size_nll_ci": ((*dims, CI_BOUND[0]), np.stack([band.lower, band.upper], axis=-1)),
                "size_nll_replicate": ((*dims, "replicate"), parts),
                "size_share": (dims, share),
                "size_loss": (dims, mean / widths),
                "fewest_masked": (dims, edges[:, :-1] + 1),
                "most_masked": (dims, edges[:, 1:]),
                "forward_passes": ("sequence", [item.forward_passes for item in outcome.kept]),
            },
            coords={"sequence": outcome.of_kept(labels), CI_BOUND[0]: CI_BOUND[1]},
        ),
        VARIABLES,
    )
    cautions = cautions_of_draws(outcome.kept)
    dataset["cautions"] = caution_variable(["sequence"], cautions, [len(cautions)])
    dataset = outcome.with_failed(dataset, labels)
    dataset.attrs = provenance_attributes(
        model,
        cells[0],
        [in_blocks(target, model) for target in targets],
        seed=seed,
        level=level,
        forward_passes=outcome.forward_passes,
    ) | {"ci_kind": "student-t, simultaneous over bins (Bonferroni)"}
    return dataset
