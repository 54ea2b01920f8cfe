"""Substitution scans: every single substitution of a sequence against the original, with intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import cast

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from estimators import (
    Cell,
    ConditionalModel,
    Coupled,
    Draw,
    Estimator,
    Evaluation,
    InputError,
    Pair,
    Target,
    evaluate_substitutions,
    make_targets,
)
from estimators.evaluate import Progress
from estimators.masked.plan import mask_plan
from estimators.model import in_blocks
from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.estimates.cautions import cautions_of_draws
from infodis_stats.estimates.draw_statistics import DrawStatistics
from infodis_stats.estimates.settings import (
    Device,
    Execution,
    IntervalRequest,
    SamplingPlan,
    named_estimator,
    rows_per_call,
)
from infodis_stats.laws import Law
from infodis_stats.models.vocabulary import alternatives, printed_symbols, symbol_names, symbol_tokens
from infodis_stats.results.error_bars import ErrorBar
from infodis_stats.results.labels import Variable, describe, estimates_of, replicates_dataset
from infodis_stats.results.provenance import provenance_attributes
from infodis_stats.results.validity import NO_CLAIM, Caution, caution_keys, caution_variable

__all__ = ["rank_substitutions", "scan_substitutions", "scan_verdicts"]

VARIABLES = {
    "log_ratio_p": Variable("1", "p-value of the log ratio's sign, Holm-adjusted over the scan"),
}

FloatArray = NDArray[np.float64]

REDUCED_TOGETHER = 16  # mutants, whose losses are held at once

ORIGINAL = ErrorBar("", 0.0, float("inf"), 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class _Row:
    # What is known of a substitution; of the original, which is no substitution, exactly 0.
    replicates: FloatArray
    bar: ErrorBar = ORIGINAL
    cautions: Sequence[Caution] = ()


def scan_substitutions(
    model: ConditionalModel,
    tokens: ArrayLike,
    estimator: str | Estimator = "auto",
    *,
    positions: ArrayLike | None = None,
    symbols: ArrayLike | None = None,
    passes: int = 16,
    replicates: int = 8,
    seed: int = 0,
    context: int | ArrayLike | None = None,
    level: float = 0.95,
    batch_size: int | None = None,
    device: Device = "cpu",
    progress: Progress | bool | None = None,
) -> xr.Dataset:
    """Estimate ``log p(mutant | context) - log p(original | context)`` of every single substitution.

    All mutants and the original share one plan of masks (the paper's Equation 18 for a whole family), so the original
    is run once, and mutants are as comparable with one another as with the original: the difference of two cells is
    the mean of the differences of their replicates. For the same reason the cells' errors are not independent. Each
    mutant has the interval and the cautions that `estimate_log_ratio` would give it against the original.

    Parameters
    ----------
    model : ConditionalModel
        A law, a network, or anything with ``token_nll``.
    tokens : array of int, shape (length,)
        The original.
    estimator : str or Estimator, default "auto"
        ``infodis-stats estimators`` lists all names.
    positions : array of int, optional
        Where to substitute, as indices into ``tokens``; default all that are scored.
    symbols : str, or array of str or int, optional
        What to substitute, ``"ACGT"``, or as tokens; default all that `infodis_stats.models.vocabulary.alternatives`
        names: the alphabet of a law or a `Denoiser`, the 20 standard residues for a protein.
    passes : int, default 16
        Forward passes that one replicate may use per sequence. A mutant needs about half of them: the masks that hide
        the substitution are run once for all mutants.
    replicates, seed, level
        As in `estimate_nll`; at least 2 replicates. The random numbers depend on the original, not on the mutants.
    context : int or array of bool, shape (length,), optional
        The first ``context`` tokens are given, or the positions marked True: never masked, scored or substituted.
    batch_size, device
        As in `estimate_nll`.
    progress : callable, optional
        Called with 1 after the original and after each mutant.

    Returns
    -------
    xarray.Dataset
        ``log_ratio``, ``log_ratio_se (position, symbol)``, ``log_ratio_ci (position, symbol, ci_bound)``,
        ``log_ratio_replicate (position, symbol, replicate)`` in nats, exactly 0 where the symbol is the original's.
        Intervals are pointwise, of the kind ``interval`` with ``degrees (position, symbol)`` of freedom (empty and
        infinite for the original). ``log_ratio_p (position, symbol)`` is the p-value of the log ratio's sign, from the
        same standard error and degrees, Holm-adjusted over the scan; NaN for the original. ``cautions (position,
        symbol, caution)`` hold for a substitution; none does for the original. ``exact (position, symbol)`` if the
        model is a law. Coordinates: ``site``, the position counted from 1; ``original``, the symbol there; ``token`` of
        each symbol. Attributes as those of `estimate_log_ratio`.

    Raises
    ------
    InputError, ModelError
        If an argument is wrong, or the model fails.

    Notes
    -----
    For conditionals that come from one joint law the log ratio equals ``log p(symbol | all others) - log p(original
    symbol | all others)``, one pass, often called the masked marginal [1]_. A network's conditionals do not come from
    one law. The log ratio here is that of its any-order likelihood, so it includes the effect of the substitution on
    the losses of all other tokens.

    Claims about many substitutions need many degrees of freedom: where the standard error is that of the replicates,
    as by default, the first of 2000 requires an estimate of 9.8 standard errors with 8 replicates, 6.0 with 16 and 4.9
    with 32 (level 0.95).

    The fully masked pass is not run for a caution alone: ``near-deterministic`` holds only where the plan has that
    pass, as that of ``auto`` does.

    References
    ----------
    Jeon, Shin, Jeon, No, Information-Theoretic Discrete Diffusion, NeurIPS 2025, arXiv 2510.24088, Equation 18.

    .. [1] J. Meier et al. (2021), Language models enable zero-shot prediction of the effects of mutations on protein
       function, NeurIPS.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> scan = ids.scan_substitutions(law, law.encode(["GATTACA"])[0], positions=[3, 4], passes=8, replicates=4)
    >>> dict(scan["log_ratio"].sizes)
    {'position': 2, 'symbol': 4}
    >>> scan["log_ratio_ci"].sel(position=3, symbol="T").values
    array([0., 0.])
    """
    asked = named_estimator(estimator)
    given = context if context is None or isinstance(context, int | np.integer) else [np.asarray(context)]
    target = replace(make_targets([np.asarray(tokens)], given)[0], label="the sequence")
    sampling = SamplingPlan(passes, replicates, seed, fewest_replicates=2)
    request = IntervalRequest(level=level)
    execution = Execution(batch_size, device, progress)
    cell = Cell(Coupled(asked), target, sampling.passes, sampling.replicates)
    target = in_blocks(target, model)
    settled = asked.settled(target, sampling.passes, model)
    sites = _positions(positions, target)
    others = alternatives(model, target.tokens) if symbols is None else symbol_tokens(model, symbols)
    changed = others != target.tokens[sites][:, None]
    if not changed.any():
        raise InputError("there is nothing to substitute: at these positions the sequence already has these symbols")
    exact = {"exact": _exact(model, target, sites, others)} if isinstance(model, Law) else {}

    random = stream(root_seed(sampling.seed), target.key, "substitutions", settled.name, str(sampling.passes))
    plan = mask_plan(settled.plan_target(target, sampling.passes, sampling.replicates, random), "scans")
    evaluations = evaluate_substitutions(
        model,
        target,
        plan,
        np.repeat(sites, changed.sum(axis=1)),
        np.broadcast_to(others, changed.shape)[changed],
        batch_size=rows_per_call(model, execution.batch_size),
        device=execution.device,
    )
    rows, forward_passes = [], 0

    def counted() -> Iterator[Evaluation]:
        nonlocal forward_passes
        for evaluation in evaluations:
            forward_passes += evaluation.forward_passes
            if execution.callback is not None:
                execution.callback(1)
            yield evaluation

    mutants = counted()
    original, coupled = next(mutants), replace(cell, sampler=Coupled(settled))
    while together := list(islice(mutants, REDUCED_TOGETHER)):
        rows += _rows(coupled, together, original, model, request)

    names = symbol_names(model, np.concatenate([target.tokens[sites], others]))  # together, so that they are unique
    dataset = _labelled(rows, changed, sampling.replicates, level, **exact).assign_coords(
        position=("position", sites, {"long_name": "index into the tokens, from 0"}),
        site=("position", sites + 1, {"long_name": "position, counted from 1"}),
        original=("position", names[: len(sites)], {"long_name": "symbol of the original"}),
        symbol=("symbol", names[len(sites) :], {"long_name": "symbol of the mutant"}),
        token=("symbol", others, {"long_name": "token of the symbol"}),
    )
    dataset.attrs = provenance_attributes(
        model,
        cell,
        [target],
        seed=sampling.seed,
        level=level,
        forward_passes=forward_passes,
        interval=request.kind,
    ) | {"sequence": "".join(printed_symbols(model, target.tokens))}
    return dataset


def rank_substitutions(scan: xr.Dataset) -> pd.DataFrame:
    """Sort the substitutions of a scan by their log ratio, the most likely mutant first.

    Parameters
    ----------
    scan : xarray.Dataset
        As returned by `scan_substitutions`.

    Returns
    -------
    DataFrame
        One row per substitution: ``substitution`` (``A5G``), ``site`` (counted from 1), ``original``, ``symbol``;
        ``log_ratio``, ``log_ratio_se``, ``lower``, ``upper`` in nats; ``p`` and ``verdict``: ``better`` or ``worse``
        than the original at a family-wise error of one minus the confidence level over the scan, else empty;
        ``cautions``, the keys of those that hold for the row, separated by commas; ``exact`` where it is known.

    Notes
    -----
    A row gets no verdict, whatever its p-value, if it has a caution from which `infodis_stats.decide` makes no claim:
    its interval may miss without showing it.

    Estimates at the top of a ranking are on average a little too high, because the ranking selects them.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    >>> scan = ids.scan_substitutions(law, law.encode(["GAT"])[0], "exhaustive", passes=7, positions=[1])
    >>> rank_substitutions(scan)[["substitution", "log_ratio", "verdict"]].round(3)
      substitution  log_ratio verdict
    0          A2C      1.229  better
    1          A2G     -0.283   worse
    2          A2T     -0.655   worse
    """
    if not isinstance(scan, xr.Dataset) or not {"position", "symbol", "replicate", "ci_bound"} <= set(scan.dims):
        raise InputError(f"a ranking needs the whole result of scan_substitutions, got {type(scan).__name__}")
    flat = scan.drop_dims("replicate").assign(
        cautions=caution_keys(scan["cautions"]), verdict=(("position", "symbol"), scan_verdicts(scan))
    )
    flat = flat.drop_vars("caution")
    for bound in ("lower", "upper"):
        flat[bound] = flat["log_ratio_ci"].sel(ci_bound=bound, drop=True)
    frame = flat.drop_dims("ci_bound").to_dataframe(dim_order=["position", "symbol"]).reset_index()
    frame = frame[frame["symbol"] != frame["original"]].rename(columns={"log_ratio_p": "p"})
    frame["substitution"] = frame["original"] + frame["site"].astype(str) + frame["symbol"]
    columns = ["substitution", "site", "original", "symbol", "log_ratio", "log_ratio_se", "lower", "upper", "p"]
    columns += ["verdict", "cautions", *(["exact"] if "exact" in frame else [])]
    return frame.sort_values("log_ratio", ascending=False, kind="stable")[columns].reset_index(drop=True)


def scan_verdicts(scan: xr.Dataset) -> NDArray[np.str_]:
    """Return the verdict on each cell of a scan, as `rank_substitutions` gives it: (position, symbol)."""
    doubtful = scan["cautions"].sel(caution=list(NO_CLAIM)).any("caution").transpose("position", "symbol").values
    estimates, p_values = (scan[name].transpose("position", "symbol").values for name in ("log_ratio", "log_ratio_p"))
    claimed = (p_values < 1 - scan.attrs["ci_prob"]) & ~doubtful
    return np.where(claimed, np.where(estimates > 0, "better", "worse"), "")


def _rows(
    cell: Cell,
    mutants: Sequence[Evaluation],
    original: Evaluation,
    model: ConditionalModel,
    request: IntervalRequest,
) -> list[_Row]:
    """Return the row of each mutant: as the first side of a pair, so that its log ratio is mutant over original."""
    differences = [original.losses - mutant.losses for mutant in mutants]
    reductions = cast("Coupled", cell.sampler).estimator.reduce_all(original.plan, differences)
    rows = []
    for mutant, reduction in zip(mutants, reductions, strict=True):
        pair = Pair(mutant.target, original.target, mutant.target.label, mutant.target.key)
        draw = Draw(replace(cell, item=pair), reduction, (mutant, original))
        item = DrawStatistics.of(draw, request.kind, request.level)
        (cautions,) = cautions_of_draws([item])
        rows.append(_Row(item.estimates, item.bar, cautions))
    return rows


def _positions(positions: ArrayLike | None, target: Target) -> NDArray[np.int64]:
    if positions is None:
        return target.scored
    asked = np.unique(np.asarray(positions))
    if asked.ndim != 1 or not asked.size or asked.dtype.kind not in "iu":
        raise InputError(f"positions must be integers, at least one, got {positions!r}")
    for position in asked.tolist():
        if not 0 <= position < len(target.tokens):
            last = len(target.tokens) - 1
            raise InputError(f"position {position} is outside the sequence, whose positions are 0 to {last}")
        if position not in target.scored:
            raise InputError(f"position {position} is context, which cannot be substituted")
    return asked.astype(np.int64)


def _exact(law: Law, target: Target, sites: NDArray[np.int64], others: NDArray[np.int64]) -> FloatArray:
    mutants = np.tile(target.tokens, (len(sites), len(others), 1))
    mutants[np.arange(len(sites))[:, None], np.arange(len(others)), sites[:, None]] = others
    given = ~np.isin(np.arange(len(target.tokens)), target.scored)
    rows = np.concatenate([target.tokens[None], mutants.reshape(-1, len(target.tokens))])
    nll = law.nll(rows, context=given)
    if np.isinf(nll[0]):
        raise InputError("the sequence has probability 0 under this law, so nothing can be compared with it")
    exact = np.asarray((nll[0] - nll[1:]).reshape(len(sites), len(others)))
    for row, column in np.argwhere(np.isinf(exact))[:1].tolist():
        before, after = (law.alphabet[token] for token in (target.tokens[sites[row]], others[column]))
        raise InputError(
            f"substitution {before}{sites[row] + 1}{after} has probability 0 under this law, so its log ratio is minus "
            "infinity and has no estimate; leave it out with positions and symbols"
        )
    return exact


def _labelled(
    substitutions: Sequence[_Row], changed: NDArray[np.bool_], replicates: int, level: float, **others: FloatArray
) -> xr.Dataset:
    """Label the substitutions, in the order of the cells (position, symbol) that are changed, and others over all."""
    following = iter(substitutions)
    original = _Row(np.zeros(replicates))
    rows = [next(following) if is_changed else original for is_changed in changed.ravel().tolist()]
    flat = replicates_dataset(
        "log_ratio",
        np.stack([row.replicates for row in rows]),
        labels=("cell", range(changed.size)),
        level=level,
        bars=[row.bar for row in rows],
        **{name: values.reshape(-1) for name, values in others.items()},
    )
    p_values = np.full(changed.size, np.nan)
    estimates = estimates_of(flat.isel(cell=changed.ravel()), "log_ratio")
    p_values[changed.ravel()] = analysis.family_wise_signs(estimates)
    flat["log_ratio_p"] = ("cell", p_values)
    flat["cautions"] = caution_variable(["cell"], [row.cautions for row in rows], [len(rows)])
    flat = describe(flat, VARIABLES)
    grid = flat.coarsen(cell=changed.shape[1]).construct(cell=("position", "symbol")).drop_vars("cell")
    for variable in grid.data_vars.values():
        variable.attrs["long_name"] = variable.attrs["long_name"].replace("first over second", "mutant over original")
    return grid
