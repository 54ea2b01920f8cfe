"""The likelihood of random-order sampling, bracketed: exact for short targets, else bounds from drawn orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import scipy
import xarray as xr

from estimators import Cell, ConditionalModel, Draw, InputError, Target, make_targets
from estimators.arguments import check_count
from estimators.evaluate import Progress
from estimators.masked.masks import LARGEST_ENUMERATED_LENGTH
from estimators.model import in_blocks, is_consistent, prices_masks
from estimators.target import Context, Tokens
from infodis_stats.analysis import LogMeanBounds, log_mean_bounds
from infodis_stats.estimates.loss_profile import full_masks
from infodis_stats.estimates.nll import nll_of
from infodis_stats.estimates.order_draws import OrderSample, draw_orders
from infodis_stats.estimates.pipeline import estimate
from infodis_stats.estimates.settings import Device, Execution, IntervalRequest, SamplingPlan, named_estimator
from infodis_stats.results.labels import CI_BOUND, Variable, describe

__all__ = ["bracket_nll"]

VARIABLES = {
    "marginal_upper": Variable("nat", "upper bound on the negative log-likelihood of random-order sampling"),
    "marginal_upper_se": Variable("nat", "standard error of the upper bound"),
    "marginal_lower": Variable("nat", "lower bound on the negative log-likelihood of random-order sampling"),
    "marginal_lower_se": Variable("nat", "standard error of the lower bound"),
    "bracket": Variable("nat", "confidence interval of the negative log-likelihood of random-order sampling"),
    "all_orders": Variable("1", "whether all orders were summed, so that bounds and bracket are the exact value"),
    "orders": Variable("1", "random orders behind the bounds"),
    "log_weight_sd": Variable("nat", "standard deviation of the log importance weight of an order"),
}

ANY_ORDER = Variable("nat", "any-order negative log-likelihood")

FEWEST_ORDERS, FEWEST_DRAWN = 4, 3
FIRST_SHARE = 8  # the any-order estimate takes this part of the passes
FEWEST_PASSES, MOST_PASSES, MOST_REPLICATES = 16, 128, 8  # of that estimate
FEWEST_FOR_LOWER = 24  # orders: with fewer, their spread is not known
LARGEST_SPREAD = 1.5  # nats: beyond this standard deviation of a log weight, upper bounds on a mean fail
LARGEST_SKEWNESS, HARMLESS_SPREAD = (
    0.5,
    0.4,
)  # a log weight skewed to the right has a heavy tail, unless it hardly varies


def bracket_nll(
    model: ConditionalModel,
    tokens: Tokens,
    *,
    orders: int = 128,
    seed: int = 0,
    context: Context = None,
    names: Sequence[str] | None = None,
    level: float = 0.95,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Bracket ``-log p(x)`` of random-order sampling, beside the any-order value that bounds it.

    A model that reveals one position at a time in random order gives a sequence the probability ``p(x) = mean over
    orders of p(x | order)``: the order-marginal likelihood. What `estimate_nll` estimates, the mean over orders of
    ``-log p(x | order)``, is an upper bound on ``-log p(x)``; the two are equal if the conditionals come from one law.
    For a block-diffusion model the orders are those within each block.

    Parameters
    ----------
    model : ConditionalModel
    tokens : array of int, shape (sequence, length), or sequence of arrays of int
    orders : int, default 128
        Budget of each sequence, in orders: one order costs a forward pass per scored position (of the longest block).
        At least 4; at least 16 passes and 3 orders are run in any case. If all masks fit into it, the values are exact:
        up to 10 positions (or blocks of 10) at 128 orders.
    seed, context, names, batch_size, device, progress
        As in `estimate_nll`.
    level : float, default 0.95
        Confidence level of the bracket and of the interval of the any-order value.

    Returns
    -------
    xarray.Dataset
        ``nll``, ``nll_se (sequence)`` and ``nll_ci (sequence, ci_bound)`` of the any-order value, by `estimate_nll`
        with ``auto`` on an eighth of the passes. ``marginal_upper`` and ``marginal_lower (sequence)``, upper and lower
        bounds on ``-log p(x)`` in expectation, with standard errors ``_se``; ``bracket (sequence, ci_bound)``, a
        confidence interval of ``-log p(x)``. All in nats. ``all_orders (sequence)`` is True where all orders were
        summed: bounds and bracket are then the exact value. ``orders (sequence)`` random orders are behind the bounds,
        with log importance weights of standard deviation ``log_weight_sd (sequence)``; ``forward_passes (sequence)``
        were run for all of it. Where the standard deviation may exceed 1.5 nats (at its upper 90 % limit), log weights
        are skewed to the right, or there are fewer than 24 orders, the caution ``wide-orders`` holds: the lower bound
        is NaN and the bracket begins at 0. Failed sequences as in `estimate_nll`.

    Raises
    ------
    InputError, ModelError
        If an argument is wrong, or the model fails on every sequence.

    See Also
    --------
    order_gap : the difference to the any-order value, from uniformly random orders alone.
    infodis_stats.analysis.log_mean_bounds : the bounds, the bracket and its measured coverage.

    Notes
    -----
    Likelihoods of single orders differ by a factor of ten and more, so that few uniformly random orders carry their
    mean. A surrogate of the losses, fitted to the passes so far, predicts the likelihood of any order with no forward
    pass; orders are drawn in proportion to it, and weighted so that their mean is ``p(x)`` whatever it predicts
    (`estimators.masked.orders.proposal`). Orders are drawn in rounds, each as large as all before it, whose losses
    improve the surrogate of the next.

    The upper end of the bracket is valid without assumptions. The lower end cannot be: no sample shows orders that are
    rare and far more likely than all others. Where it was checked, on learned models, blocks and toys of moderate
    losses, it covers at least nominally. If one token is cheaper where its position comes first, by 1 nat, the interval
    allows for it: 0 of 60 brackets of 40 positions and 40 orders miss. If it is cheaper by 2 nats, half of the brackets
    (24 positions, 40 orders) have the caution, and a fifth of the others miss, by up to 0.1 nats: they are the ones
    that have not seen such an order.

    References
    ----------
    B. Uria, I. Murray, H. Larochelle, A deep and tractable density estimator, ICML 2014 (the ensemble of orders). Y.
    Burda, R. Grosse, R. Salakhutdinov, Importance weighted autoencoders, ICLR 2016, arXiv 1509.00519 (the upper
    bound). TUBE, arXiv 2605.24292 (the lower bound).

    Examples
    --------
    >>> import infodis_stats as ids
    >>> model = ids.load_model("austen")
    >>> result = ids.bracket_nll(model, [model.encode("truth")])
    >>> result["nll"].values.round(2), result["bracket"].values.round(2), result["all_orders"].item()
    (array([14.97]), array([[14.15, 14.15]]), True)
    """
    check_count("orders", orders, least=FEWEST_ORDERS)
    if not prices_masks(model):
        raise InputError("a bracket needs a model that prices masked tokens, by a method token_nll")
    targets = [in_blocks(target, model) for target in make_targets(tokens, context, names)]
    cells = [_any_order_cell(model, target, orders) for target in targets]
    request, execution = IntervalRequest("auto", level), Execution(batch_size, device, progress)
    samples: dict[str, OrderSample] = {}

    def draw_and_keep(round_cells: Iterable[Cell]) -> Iterator[Draw]:
        for draw in execution.draw(model, round_cells, seed, keep_failed=True, beside=full_masks((model,))):
            (evaluation,) = draw.evaluations
            samples[evaluation.target.key] = OrderSample.after(evaluation)
            yield draw

    plan = SamplingPlan(cells[0].passes, cells[0].replicates, seed)
    result = estimate(nll_of(model, targets, "auto", names), plan, request, execution, draw_and_keep, cells=cells)
    failed = result["failed"].values.tolist() if "failed" in result else [""] * len(targets)
    drawn = [
        (samples[target.key], _orders_left(target, cell, orders))
        for target, cell, problem in zip(targets, cells, failed, strict=True)
        if not problem and not is_consistent(model) and not _all_masks_fit(target.longest_block, orders)
    ]
    draw_orders(model, drawn, seed, execution)
    brackets = [
        _bracket_of(samples[target.key], any_order, level, one_law=is_consistent(model)) if not problem else _at(np.nan)
        for target, any_order, problem in zip(targets, result["nll"].values.tolist(), failed, strict=True)
    ]
    problems = [problem or samples[target.key].problem or "" for target, problem in zip(targets, failed, strict=True)]
    passes = [samples[target.key].forward_passes for target in targets]
    return _labelled(result, brackets, problems, passes, orders)


class _Bracket(NamedTuple):
    # Bounds on the negative log-likelihood of one target, with standard errors, and the interval: nats.
    marginal_upper: float
    marginal_upper_se: float
    marginal_lower: float
    marginal_lower_se: float
    bracket: tuple[float, float]
    all_orders: bool = True
    orders: int = 0
    log_weight_sd: float = 0.0
    no_spread: bool = False

    @property
    def is_wide(self) -> bool:
        """Whether the orders are too few, or may spread too far, for a lower end."""
        return self.orders > 0 and np.isnan(self.marginal_lower)


def _at(value: float) -> _Bracket:
    """Return the bracket of an exact value; of NaN, none."""
    known = bool(np.isfinite(value))
    error = 0.0 if known else np.nan
    return _Bracket(value, error, value, error, (value, value), known)


def _bracket_of(sample: OrderSample, any_order: float, level: float, *, one_law: bool) -> _Bracket:
    if one_law:
        return _at(any_order)
    if sample.problem:
        return _at(np.nan)
    if not sample.log_weights:
        return _at(sample.exact())
    log_weights = np.concatenate(sample.log_weights, axis=1)
    single = np.array(sample.target.planned) == 1  # a block of one position has one order
    bounds, settled = log_mean_bounds(log_weights[~single], level), -float(log_weights[single, 0].sum())
    is_wide = _is_wide(bounds, log_weights.shape[1])
    return _Bracket(
        settled - bounds.importance,
        bounds.importance_se,
        np.nan if is_wide else settled - bounds.tangent,
        np.nan if is_wide else bounds.tangent_se,
        (0.0 if is_wide else max(0.0, settled - bounds.upper), settled - bounds.lower),
        False,
        log_weights.shape[1],
        bounds.spread,
        bounds.no_spread,
    )


def _is_wide(bounds: LogMeanBounds, orders: int) -> bool:
    """Return whether the orders are too few, or may spread too far, for a lower end."""
    if orders < FEWEST_FOR_LOWER:
        return True
    largest = bounds.spread * np.sqrt((orders - 1) / scipy.stats.chi2.ppf(0.1, orders - 1))
    return bool(largest > LARGEST_SPREAD or (bounds.spread > HARMLESS_SPREAD and bounds.skewness > LARGEST_SKEWNESS))


def _labelled(
    result: xr.Dataset, brackets: Sequence[_Bracket], problems: Sequence[str], passes: Sequence[int], orders: int
) -> xr.Dataset:
    """Add the brackets, and what they took, to the result of the any-order value."""
    columns = {name: [getattr(bracket, name) for bracket in brackets] for name in VARIABLES}
    labelled = result.assign(
        {
            name: (["sequence", CI_BOUND[0]] if name == "bracket" else "sequence", column)
            for name, column in columns.items()
        }
    )
    labelled["forward_passes"] = result["forward_passes"] + np.array(passes)
    if any(problems):
        labelled["failed"] = "sequence", problems
    cautions = result["cautions"].copy()
    cautions.loc[{"caution": "wide-orders"}] = [bracket.is_wide for bracket in brackets]
    cautions.loc[{"caution": "no-spread"}] |= np.array([bracket.no_spread for bracket in brackets])
    labelled["cautions"] = cautions
    labelled = describe(labelled, VARIABLES | {"nll": ANY_ORDER})
    labelled.attrs |= {
        "orders": orders,
        "forward_passes": int(labelled["forward_passes"].sum()),
        "estimand": "order-marginal",
    }
    return labelled


def _any_order_cell(model: ConditionalModel, target: Target, orders: int) -> Cell:
    """Return the cell of the any-order value: all masks if they fit into the orders, else an eighth of their passes."""
    length = target.longest_block
    if is_consistent(model):
        passes, replicates = length, 2
    elif _all_masks_fit(length, orders):
        passes, replicates = 2**length - 1, 1
    else:
        share = max(FEWEST_PASSES, orders * length // FIRST_SHARE)
        passes, replicates = min(share, MOST_PASSES), min(MOST_REPLICATES, max(1, share // MOST_PASSES))
    cell = Cell(named_estimator("auto"), target, passes, replicates)
    if replicates == 1 and not cell.settled(model).has_within_variance:  # an interval then needs a second replicate
        return Cell(named_estimator("auto"), target, passes // 2, 2)
    return cell


def _orders_left(target: Target, cell: Cell, orders: int) -> int:
    return max(FEWEST_DRAWN, orders - -(-cell.passes * cell.replicates // target.longest_block))


def _all_masks_fit(length: int, orders: int) -> bool:
    return length <= LARGEST_ENUMERATED_LENGTH and 2**length - 1 <= orders * length
