"""Swaps: what two positions cost when revealed in one order and in the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from estimators import Cell, ConditionalModel, Evaluation, InputError, Job, MaskPlan, make_targets
from estimators.arguments import check_count
from estimators.designs import IID, draw_points
from estimators.evaluate import Progress
from estimators.model import in_blocks
from estimators.sampling import Sampler
from estimators.streams import skip
from estimators.target import Context, Target, Tokens
from infodis_stats.analysis.replicates import check_level
from infodis_stats.estimates.order_gap import ONE_LAW, ROUNDING, check_tolerance
from infodis_stats.estimates.settings import Device, Execution
from infodis_stats.results.labels import CI_BOUND, Variable, describe
from infodis_stats.results.provenance import provenance_attributes
from infodis_stats.results.validity import caution_variable

__all__ = ["OrderSwap", "order_swaps"]

VARIABLES = {
    "swap_defect": Variable("nat", "cost of two positions in one order minus that in the other"),
    "swap_rms": Variable("nat", "root mean square of the swap defects"),
    "swaps_beyond": Variable("1", "share of swaps whose defect exceeds rounding"),
    "swaps_beyond_ci": Variable("1", "confidence interval of the share of swaps whose defect exceeds rounding"),
}

PASSES = 3


@dataclass(frozen=True)
class OrderSwap(Sampler[Target]):
    """The swap defect of two random positions ``i, j`` of a random mask ``S``.

    ``[c(i, S) + c(j, S - i)] - [c(j, S) + c(i, S - j)]``: the cost of the two in one order minus that in the other.
    It takes three passes. ``|S|`` is uniform on 2..L. Under a block-diffusion model the positions and the mask are in
    one block, because the model generates blocks in one order only.
    """

    @property
    def name(self) -> str:
        """Its name, on which its random streams depend."""
        return "order-swap"

    def jobs(
        self, item: Target, passes: int, replicates: int, rng: np.random.Generator, *, first: int = 0
    ) -> tuple[Job, ...]:
        """Plan the target: one swap per replicate, as signed weights."""
        lengths = np.array(item.planned)
        if lengths.max() < 2:
            place = "scored position" if len(lengths) == 1 else "scored position in each block"
            raise InputError(f"{item.label} has 1 {place}; a swap needs two")
        points = draw_points(IID(), item.length, 1, replicates, skip(rng, first))[:, 0]
        block = np.repeat(np.arange(len(lengths)), lengths)
        keys = np.where(lengths[block] > 1, points[:, 1:], 2.0)
        here = block[keys.argmin(axis=-1)][:, None]
        length = lengths[here]
        sizes = np.minimum(2 + (points[:, :1] * (length - 1)).astype(np.int64), length)
        ranks = np.where(block == here, keys, 2.0).argsort(axis=-1, kind="stable").argsort(axis=-1)
        first_position, second_position, mask = ranks == 0, ranks == 1, ranks < sizes
        masks = np.stack([mask, mask & ~first_position, mask & ~second_position], axis=1)
        weights = np.stack(
            [first_position * 1.0 - second_position, second_position * 1.0, -1.0 * first_position], axis=1
        )
        return (Job(item, MaskPlan(masks, weights)),)

    def combine(self, evaluations: tuple[Evaluation, ...]) -> NDArray[np.float64]:
        """Add the signed losses: one defect per replicate, nats."""
        (evaluation,) = evaluations
        defects: NDArray[np.float64] = (evaluation.plan.weights * evaluation.losses).sum(axis=(1, 2))
        return defects


def order_swaps(
    model: ConditionalModel,
    tokens: Tokens,
    *,
    swaps: int = 64,
    seed: int = 0,
    context: Context = None,
    names: Sequence[str] | None = None,
    tolerance: float = ROUNDING,
    level: float = 0.95,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Test locally whether a model's conditionals come from one law: by swaps, three forward passes each.

    For one law, ``c(i | A) + c(j | A, i) = c(j | A) + c(i | A, j)`` for all positions ``i, j`` and revealed sets ``A``.
    All orders agree if and only if all swaps do, for any two orders are neighbouring swaps apart.

    Parameters
    ----------
    model : ConditionalModel
    tokens : array of int, shape (sequence, length), or sequence of arrays of int
        With at least two scored positions each.
    swaps : int, default 64
        Random swaps of each sequence.
    tolerance : float, default 1e-4
        Nats by which rounding may change one conditional. Half precision needs about 0.05.
    seed, context, names, level, batch_size, device, progress
        As in `estimate_nll`.

    Returns
    -------
    xarray.Dataset
        ``swap_defect (sequence, swap)`` and its root mean square ``swap_rms (sequence)`` in nats; ``swaps_beyond
        (sequence)``, the share of swaps beyond ``4 tolerance``, with its Clopper-Pearson interval ``swaps_beyond_ci
        (sequence, ci_bound)``: its upper end bounds the share even where no swap is beyond. ``one_law (sequence)`` is
        0 where at least one swap is beyond, which disproves one law.

    Raises
    ------
    InputError, ModelError
        If an argument is wrong, or the model fails on a sequence.

    See Also
    --------
    order_gap : the cost of the differences, from whole orders.

    References
    ----------
    B. Uria, I. Murray, H. Larochelle, A deep and tractable density estimator, ICML 2014 (likelihoods by order).

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> swaps = ids.order_swaps(law, law.sample(1, length=500, seed=1), swaps=30)
    >>> swaps["one_law"].item(), swaps["swaps_beyond_ci"].values.round(2)
    (1, array([[0.  , 0.12]]))
    """
    check_count("swaps", swaps)
    check_count("seed", seed, least=0)
    check_tolerance(tolerance)
    check_level(level)
    targets = make_targets(tokens, context, names)
    cells = [Cell(OrderSwap(), target, PASSES, swaps) for target in targets]
    draws = Execution(batch_size, device, progress).draw(model, cells, seed)
    estimates, forward_passes = zip(*((draw.estimates, draw.forward_passes) for draw in draws), strict=True)
    defects = np.stack(estimates)
    beyond = (np.abs(defects) > 4 * tolerance).sum(axis=-1)
    ends = proportion_confint(beyond, swaps, alpha=1 - level, method="beta")
    dataset = describe(
        xr.Dataset(
            {
                "swap_defect": (("sequence", "swap"), defects),
                "swap_rms": ("sequence", np.sqrt((defects**2).mean(axis=-1))),
                "swaps_beyond": ("sequence", beyond / swaps),
                "swaps_beyond_ci": (("sequence", CI_BOUND[0]), np.stack(ends, axis=-1)),
                "one_law": ("sequence", (beyond == 0).astype(np.int64)),
                "length": ("sequence", [target.length for target in targets]),
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
        [in_blocks(target, model) for target in targets],
        seed=seed,
        level=level,
        forward_passes=sum(forward_passes),
        estimand="order-swap",
    ) | {"ci_kind": "clopper-pearson", "tolerance": tolerance}
    return dataset
