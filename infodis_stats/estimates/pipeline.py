"""The pipeline behind every estimate with an interval: plan, draw, bound the error, label."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import xarray as xr
from numpy.typing import ArrayLike

from estimators import Cell, Contrast, Draw, Estimator, Model, Pair, Target
from estimators.estimator import estimator_of
from estimators.model import blocks_of, in_blocks, is_consistent
from infodis_stats.estimates.cautions import cautions_of_draws
from infodis_stats.estimates.draw_statistics import DrawStatistics
from infodis_stats.estimates.loss_profile import full_masks
from infodis_stats.estimates.outcome import Outcome, outcome_of
from infodis_stats.estimates.precision import PRECISION_VARIABLES, DrawCells, Precision, draw_rounds, padded
from infodis_stats.estimates.remainder import (
    REMAINDER_VARIABLES,
    check_precision,
    known_part,
    remainder_variables,
    remainders,
    shifted,
)
from infodis_stats.estimates.settings import Execution, IntervalRequest, SamplingPlan
from infodis_stats.results.error_bars import check_interval
from infodis_stats.results.labels import Variable, describe, replicates_dataset
from infodis_stats.results.provenance import provenance_attributes
from infodis_stats.results.validity import caution_variable

__all__ = ["Quantity", "estimate"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantity:
    """What is estimated, of which items, under which models.

    Parameters
    ----------
    name : str
        ``"nll"`` or ``"log_ratio"``.
    unit : str
        The dimension of the items.
    models : tuple of Model
        One for each side of an item.
    sampler : Estimator or Contrast
    items : sequence of Target or Pair
    names : sequence of str, optional
        Labels of the items; None: they are numbered.
    variables : callable
        Returns further variables over the items that have an estimate.
    labels : mapping of str to Variable
        Units and long names of these variables, where they are not shared.
    """

    name: str
    unit: str
    models: tuple[Model, ...]
    sampler: Estimator | Contrast
    items: Sequence[Target | Pair]
    names: Sequence[str] | None
    variables: Callable[[Outcome], Mapping[str, ArrayLike]]
    labels: Mapping[str, Variable] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        """The model with the weakest guarantees, for which `auto` chooses."""
        return min(self.models, key=is_consistent)

    def settled(self, cell: Cell) -> Cell:
        """Return a cell as the models have it sampled: in blocks only if all models have the same ones.

        Masks of whole sequences are as unbiased under a block-diffusion model, but not as precise.
        """
        if len({blocks_of(model) for model in self.models}) == 1:
            return cell.settled(self.model)
        for model in self.models:
            in_blocks(cell.item, model)  # refuses context that the model does not see
        return replace(cell, sampler=cell.sampler.settled(cell.item, cell.passes, self.model))


def estimate(
    quantity: Quantity,
    plan: SamplingPlan,
    request: IntervalRequest,
    execution: Execution,
    draw_cells: DrawCells | None = None,
    *,
    cells: Sequence[Cell] | None = None,
) -> xr.Dataset:
    """Estimate a quantity of many items, with an interval for each.

    Parameters
    ----------
    quantity : Quantity
    plan : SamplingPlan
    request : IntervalRequest
    execution : Execution
    draw_cells : callable, optional
        Draws cells; default: both sides under the one model.
    cells : sequence of Cell, optional
        A cell for each item, if items differ in their passes; default: those of the plan.

    Returns
    -------
    xarray.Dataset
        As `replicates_dataset` labels it; items on which a model failed are NaN, and ``failed`` gives the reason.
    """
    level_of_each = request.level_of_each(len(quantity.items))
    rule = None
    if plan.precision is not None:
        rule = Precision.of(plan.precision, plan.most_passes, level_of_each, request.kind)
        check_precision(quantity.sampler)
    cells = cells or [Cell(quantity.sampler, item, plan.passes, plan.replicates) for item in quantity.items]
    settled = [quantity.settled(cell) for cell in cells]
    check_interval(settled, request.kind)

    def draw_under_one(round_cells: Iterable[Cell]) -> Iterable[Draw]:
        beside = full_masks(quantity.models)
        return execution.draw(quantity.model, round_cells, plan.seed, keep_failed=True, beside=beside)

    statistics = {
        index: DrawStatistics.of(draw, request.kind, level_of_each)
        for index, draw in draw_rounds(cells, rule, draw_cells or draw_under_one)
    }
    outcome = outcome_of(quantity.models, [statistics[index] for index in range(len(cells))])
    kept = outcome.kept
    missing = remainders(quantity.models, kept)
    labels: list[object] = list(quantity.names or range(len(cells)))
    dataset = replicates_dataset(
        quantity.name,
        padded(kept) + known_part(missing),
        labels=(quantity.unit, outcome.of_kept(labels)),
        level=request.level,
        bars=shifted([item.bar for item in kept], missing),
        estimator=[(estimator_of(item.cell.sampler) or item.cell.sampler).name for item in kept],
        **quantity.variables(outcome),
        **({} if rule is None else rule.variables(kept)),
        **remainder_variables(missing),
        **outcome.variables(),
    )
    cautions = cautions_of_draws(kept, missing)
    dataset = describe(dataset, PRECISION_VARIABLES | REMAINDER_VARIABLES | dict(quantity.labels))
    dataset["cautions"] = caution_variable([quantity.unit], cautions, [len(cautions)])
    dataset.attrs = provenance_attributes(
        quantity.model,
        cells[0],
        [cell.item for cell in settled],
        seed=plan.seed,
        level=request.level,
        forward_passes=outcome.forward_passes,
        interval=request.kind,
        simultaneous=request.simultaneous,
    )
    dataset.attrs |= {} if rule is None else rule.attributes(kept)
    return outcome.with_failed(dataset, labels)
