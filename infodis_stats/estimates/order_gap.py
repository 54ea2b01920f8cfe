"""The order gap: by how much the mean chain-rule likelihood over random orders exceeds a likelihood."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from estimators import Cell, Chain, ConditionalModel, Draw, make_targets
from estimators.arguments import check_count, check_share
from estimators.evaluate import Progress
from estimators.masked.plan import mask_plan
from estimators.model import in_blocks
from estimators.target import Context, Tokens
from infodis_stats.analysis import jensen_gap
from infodis_stats.estimates.settings import Device, Execution
from infodis_stats.results.labels import CI_BOUND, Variable, describe
from infodis_stats.results.provenance import provenance_attributes
from infodis_stats.results.validity import caution_variable

__all__ = ["ROUNDING", "order_gap"]

ONE_LAW = {
    "one_law": Variable("1", "0 where the conditionals are proved not to come from one law"),
}
VARIABLES = {
    "order_nll": Variable("nat", "negative log-likelihood by the chain rule in one order"),
    "order_gap": Variable("nat", "mean over orders, minus the negative log of the mean probability"),
    "order_gap_se": Variable("nat", "standard error of the order gap"),
    "order_gap_ci": Variable("nat", "confidence interval of the order gap"),
    "order_sd": Variable("nat", "standard deviation over orders"),
    "effective_orders": Variable("1", "number of orders that carry the mean probability"),
}

ROUNDING = 1e-4
"""Nats by which float32 arithmetic may change one conditional; the bundled network changes by 2e-6 between batches."""


class _OneChain(Chain):
    """A single order of each block, however many passes there are."""

    def chains(self, length: int, passes: int) -> int:
        """Return 1."""
        return 1


def order_gap(
    model: ConditionalModel,
    tokens: Tokens,
    *,
    orders: int = 32,
    seed: int = 0,
    context: Context = None,
    names: Sequence[str] | None = None,
    tolerance: float = ROUNDING,
    level: float = 0.95,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Estimate how far apart the chain rule's likelihoods in different orders are, and what that costs.

    The conditionals of one law give one likelihood in every order ``pi``; those of a network need not. The any-order
    value ``NLL = mean_pi NLL_pi`` is then an upper bound: a model that samples in a random order gives the sequence the
    probability ``mean_pi exp(-NLL_pi)``. The gap between the two, ``mean_pi NLL_pi + log mean_pi exp(-NLL_pi)``, is at
    least 0. A block-diffusion model gives a sequence the product of the mean probabilities of its blocks, so that the
    gap is the sum of theirs.

    Parameters
    ----------
    model : ConditionalModel
    tokens : array of int, shape (sequence, length), or sequence of arrays of int
    orders : int, default 32
        Random orders of each sequence, at least 3. Each costs one forward pass per scored position.
    tolerance : float, default 1e-4
        Nats by which rounding may change one conditional. Half precision needs about 0.05.
    seed, context, names, level, batch_size, device, progress
        As in `estimate_nll`.

    Returns
    -------
    xarray.Dataset
        ``order_nll (sequence, order)``, ``order_gap``, ``order_gap_se (sequence)``, ``order_gap_ci (sequence,
        ci_bound)`` and ``order_sd (sequence)`` in nats; ``effective_orders (sequence)``, how many orders carry the
        mean probability: where they are few, the interval has no upper end. ``one_law (sequence)`` is 0 where two
        orders differ by more than ``2 tolerance`` per scored position, which disproves one law, and 1 elsewhere. The
        attributes ``mean_order_gap`` and ``mean_order_gap_ci`` are averages over the sequences, a fixed set.

    Raises
    ------
    InputError, ModelError
        If an argument is wrong, or the model fails on a sequence.

    See Also
    --------
    order_swaps : the cheap local test for long sequences.
    infodis_stats.analysis.jensen_gap : the interval and its measured coverage.

    References
    ----------
    B. Uria, I. Murray, H. Larochelle, A deep and tractable density estimator, ICML 2014 (likelihoods by order, and
    their ensemble).

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> gaps = ids.order_gap(law, law.sample(2, length=8, seed=1), orders=4)
    >>> gaps["order_gap"].values, gaps["one_law"].values
    (array([0., 0.]), array([1, 1]))
    """
    check_count("orders", orders, least=3)
    check_count("seed", seed, least=0)
    check_tolerance(tolerance)
    targets = make_targets(tokens, context, names)
    known = [in_blocks(target, model) for target in targets]
    cells = [Cell(_OneChain(), target, target.longest_block, orders) for target in known]
    draws = Execution(batch_size, device, progress).draw(model, cells, seed)
    of_blocks, forward_passes = zip(*((_by_block(draw), draw.forward_passes) for draw in draws), strict=True)
    chains = np.stack([blocks.sum(axis=0) for blocks in of_blocks])
    lengths = np.array([target.length for target in targets])
    gap = jensen_gap(np.concatenate(of_blocks), level, parts=[len(blocks) for blocks in of_blocks])
    dataset = describe(
        xr.Dataset(
            {
                "order_nll": (("sequence", "order"), chains),
                "order_gap": ("sequence", gap.estimate),
                "order_gap_se": ("sequence", gap.standard_error),
                "order_gap_ci": (("sequence", CI_BOUND[0]), np.stack([gap.lower, gap.upper], axis=-1)),
                "order_sd": ("sequence", chains.std(axis=-1, ddof=1)),
                "effective_orders": ("sequence", gap.effective),
                "one_law": ("sequence", (np.ptp(chains, axis=-1) <= 2 * tolerance * lengths).astype(np.int64)),
                "length": ("sequence", lengths),
                "forward_passes": ("sequence", list(forward_passes)),
            },
            coords={"sequence": list(names or range(len(targets))), CI_BOUND[0]: CI_BOUND[1]},
        ),
        VARIABLES | ONE_LAW,
    )
    dataset["cautions"] = caution_variable([], [[]], [])
    dataset.attrs = provenance_attributes(
        model,
        cells[0],
        known,
        seed=seed,
        level=level,
        forward_passes=sum(forward_passes),
        estimand="order-gap",
    ) | {
        "passes": max(cell.passes for cell in cells),
        "ci_kind": "chi-square of the jackknife",
        "tolerance": tolerance,
        "mean_order_gap": gap.mean[0],
        "mean_order_gap_ci": list(gap.mean[1:]),
    }
    return dataset


def _by_block(draw: Draw) -> NDArray[np.float64]:
    """Return the negative log-likelihood of each block, or of everything, in each order: (blocks, orders), nats."""
    (evaluation,) = draw.evaluations
    plan = mask_plan(evaluation.plan, "orders")
    return plan.by_block((plan.weights * evaluation.losses).sum(axis=1)).T


def check_tolerance(tolerance: float) -> None:
    """Refuse a tolerance outside (0, 1) nats. Raises `InputError`."""
    check_share("tolerance", tolerance)
