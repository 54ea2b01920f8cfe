"""Every estimand of each text: the any-order value, the order-marginal one, and the likelihoods of decoders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from estimators import ConditionalModel, Model, Target
from estimators.model import gives_distributions
from infodis_stats.estimates.bracket import bracket_nll
from infodis_stats.estimates.sampler import sampler_nll
from infodis_stats.studies.likelihoods.known_losses import KnownLosses
from infodis_stats.studies.likelihoods.rules import decoder
from infodis_stats.studies.likelihoods.schema import LikelihoodsSpec

__all__ = ["Values", "likelihood_values"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Values:
    """The values of some texts.

    Attributes
    ----------
    dataset : xarray.Dataset
        ``lower``, ``lower_se``, ``upper``, ``upper_se`` and ``exact (item, estimand)``, nats; bounds that are equal are
        the value itself.
    forward_passes : int
    not_run : list of str
        Why decoders could not run.
    failed : dict of str to str
        The problems of texts, by their names; they are in no data set.
    """

    dataset: xr.Dataset
    forward_passes: int
    not_run: list[str]
    failed: dict[str, str]


class _Bounds(NamedTuple):
    """A value of each text between two bounds, with their standard errors: (item,), nats."""

    estimand: str
    lower: FloatArray
    lower_se: FloatArray
    upper: FloatArray
    upper_se: FloatArray
    exact: NDArray[np.bool_]
    forward_passes: int = 0
    problems: NDArray[np.str_] | None = None

    @classmethod
    def of(cls, estimand: str, value: FloatArray, error: FloatArray, exact: NDArray[np.bool_]) -> "_Bounds":
        return cls(estimand, value, error, value, error, exact)


def likelihood_values(
    model: Model, priced: Model, targets: Sequence[Target], truth: xr.Dataset, spec: LikelihoodsSpec
) -> Values:
    """Compute every estimand of some texts.

    Decoders draw nothing and take few passes, so that they are computed here and not kept in a ledger.

    Parameters
    ----------
    model : Model
        Which decoders ask for its distributions.
    priced : Model
        The same model, or its losses where all of them are known.
    targets : sequence of Target
    truth : xarray.Dataset
        Their any-order values: ``truth``, ``truth_se`` and ``enumerated (item)``.
    spec : LikelihoodsSpec
    """
    runs = [decoder(name) for name in spec.samplers]
    able = gives_distributions(model)
    not_run = [
        f"{name} needs the distributions at masked positions, which {type(model).__name__} does not give: it has no "
        "method token_log_probs"
        for name, each in zip(spec.samplers, runs, strict=True)
        if each.looks and not able
    ]
    known = _Bounds.of(
        "any-order", truth["truth"].values, truth["truth_se"].values, truth["enumerated"].values.astype(bool)
    )
    rows = [known, *_computed(model, priced, targets, truth["item"].values.tolist(), spec)]
    names = truth["item"].values.tolist()
    failed: dict[str, str] = {}
    for row in rows:
        if row.problems is not None:
            for name, problem in zip(names, row.problems.tolist(), strict=True):
                if problem:
                    failed.setdefault(name, problem)
    dims = ["estimand", "item"]
    fields = ("lower", "lower_se", "upper", "upper_se", "exact")
    dataset = xr.Dataset(
        {field: (dims, np.stack([np.asarray(getattr(row, field), dtype=float) for row in rows])) for field in fields},
        coords=dict(truth[["item", "group", "subject"]].coords) | {"estimand": [row.estimand for row in rows]},
    ).transpose("item", "estimand")
    return Values(dataset.drop_sel(item=list(failed)), sum(row.forward_passes for row in rows), not_run, failed)


def _computed(
    model: Model, priced: Model, targets: Sequence[Target], names: list[str], spec: LikelihoodsSpec
) -> Iterator[_Bounds]:
    """Yield the order-marginal value and the likelihoods of the decoders."""
    tokens = [target.tokens for target in targets]
    given = [np.ones(len(target.tokens), dtype=bool) for target in targets]
    for context, target in zip(given, targets, strict=True):
        context[target.scored] = False
    device = next(model.parameters()).device if isinstance(model, torch.nn.Module) else "cpu"
    orders = spec.orders
    if isinstance(priced, KnownLosses):  # all masks cost nothing
        orders = max(orders, *(-(-(2**target.longest_block - 1) // target.longest_block) for target in targets))
    bracket = bracket_nll(
        cast("ConditionalModel", priced),
        tokens,
        orders=orders,
        seed=spec.seed,
        level=spec.level,
        context=given,
        names=names,
        device=device,
    )
    problems, passes = _problems(bracket), int(bracket["forward_passes"].sum())
    lower, lower_se, upper, upper_se = (
        bracket[f"marginal_{end}"].values for end in ("lower", "lower_se", "upper", "upper_se")
    )
    withheld = np.isnan(lower) & ~np.isnan(upper)
    yield _Bounds(
        "order-marginal",
        np.where(withheld, -np.inf, lower),
        np.where(withheld, 0.0, lower_se),
        upper,
        upper_se,
        bracket["all_orders"].values.astype(bool),
        0 if isinstance(priced, KnownLosses) else passes,
        problems,
    )
    exact, none = np.ones(len(tokens), dtype=bool), np.zeros(len(tokens))
    for each in map(decoder, spec.samplers):
        if gives_distributions(model) or not each.looks:
            result = sampler_nll(
                model,
                tokens,
                each.rule,
                tokens_per_step=each.tokens_per_step,
                block=each.block,
                context=given,
                names=names,
                device=device,
            )
            value, passes = result["nll"].values, int(result["forward_passes"].sum())
            yield _Bounds(each.name, value, none, value, none, exact, passes, _problems(result))


def _problems(result: xr.Dataset) -> NDArray[np.str_] | None:
    return result["failed"].values if "failed" in result else None
