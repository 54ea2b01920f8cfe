"""Substitution scans: every single substitution of a sequence against the original, with intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from estimators import (
    Cell,
    ConditionalModel,
    Coupled,
    Estimator,
    InputError,
    Target,
    evaluate_substitutions,
    make_targets,
)
from estimators.evaluate import Progress
from estimators.masked.plan import mask_plan
from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.estimates.settings import Device, SamplingPlan, named_estimator, rows_per_call
from infodis_stats.laws import Law
from infodis_stats.models.vocabulary import alternatives, symbol_names, symbol_tokens
from infodis_stats.results.labels import Variable, describe, replicates_dataset
from infodis_stats.results.provenance import provenance_attributes
from infodis_stats.results.validity import caution_variable, cautions_of, effective_positions

__all__ = ["rank_substitutions", "scan_substitutions"]

VARIABLES = {
    "log_ratio_p": Variable("1", "p-value of the log ratio's sign, Holm-adjusted over the scan"),
}

FloatArray = NDArray[np.float64]


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
    progress: Progress | None = None,
) -> xr.Dataset:
    """Estimate ``log p(mutant | context) - log p(original | context)`` of every single substitution.

    All mutants and the original share one plan of masks (the paper's Equation 18 for a whole family), so the original
    is run once, and mutants are as comparable with one another as with the original: the difference of two cells is
    the mean of the differences of their replicates. For the same reason the cells' errors are not independent.

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
        Intervals are pointwise. ``log_ratio_p (position, symbol)`` is the p-value of the log ratio's sign,
        Holm-adjusted over the scan; NaN for the original. ``cautions (caution)`` hold for the whole scan. ``exact
        (position, symbol)`` if the model is a law. Coordinates: ``site``, the position counted from 1; ``original``,
        the symbol there; ``token`` of each symbol. Attributes as those of `estimate_log_ratio`.

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

    Claims about many substitutions need many replicates: the first of 2000 requires an estimate of 9.8 standard
    errors with 8 replicates, 6.0 with 16 and 4.9 with 32 (level 0.95).

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
    settled = asked.settled(target, sampling.passes, model)
    sampler = Coupled(settled)
    cell = Cell(Coupled(asked), target, sampling.passes, sampling.replicates)
    sites = _positions(positions, target)
    others = alternatives(model, target.tokens) if symbols is None else symbol_tokens(model, symbols)
    changed = others != target.tokens[sites][:, None]
    if not changed.any():
        raise InputError("there is nothing to substitute: at these positions the sequence already has these symbols")
    exact = {"exact": _exact(model, target, sites, others)} if isinstance(model, Law) else {}

    random = stream(root_seed(sampling.seed), target.key, "substitutions", settled.name, str(sampling.passes))
    plan = mask_plan(settled.plan(target.length, sampling.passes, sampling.replicates, random), "scans")
    evaluations = evaluate_substitutions(
        model,
        target,
        plan,
        np.repeat(sites, changed.sum(axis=1)),
        np.broadcast_to(others, changed.shape)[changed],
        batch_size=rows_per_call(model, batch_size),
        device=device,
    )
    differences, effective, forward_passes = [], [], 0
    original = None
    for evaluation in evaluations:
        if original is None:
            original = evaluation.losses
        else:
            differences.append(settled.reduce(plan, original - evaluation.losses))
        effective.append(float(effective_positions(evaluation.position_losses)))
        forward_passes += evaluation.forward_passes
        if progress is not None:
            progress(1)
    log_ratios = np.zeros((*changed.shape, sampling.replicates))
    log_ratios[changed] = differences

    p_values = np.full(changed.shape, np.nan)
    p_values[changed] = analysis.family_wise_signs(analysis.Estimates.of_replicates(log_ratios[changed]))
    dataset = _labelled(log_ratios, level, log_ratio_p=p_values, **exact).assign_coords(
        position=("position", sites, {"long_name": "index into the tokens, from 0"}),
        site=("position", sites + 1, {"long_name": "position, counted from 1"}),
        original=("position", symbol_names(model, target.tokens[sites]), {"long_name": "symbol of the original"}),
        symbol=("symbol", symbol_names(model, others), {"long_name": "symbol of the mutant"}),
        token=("symbol", others, {"long_name": "token of the symbol"}),
    )
    cautions = cautions_of(sampler, sampling.replicates, np.array(effective))
    dataset["cautions"] = caution_variable([], [cautions], [])
    dataset.attrs = provenance_attributes(
        model, cell, [target.length], seed=sampling.seed, level=level, forward_passes=forward_passes
    ) | {"sequence": "".join(symbol_names(model, target.tokens))}
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
        than the original at a family-wise error of one minus the confidence level over the scan,
        else empty; ``exact`` where it is known.

    Notes
    -----
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
    flat = scan.drop_dims(["replicate", "caution"])
    for bound in ("lower", "upper"):
        flat[bound] = flat["log_ratio_ci"].sel(ci_bound=bound, drop=True)
    frame = flat.drop_dims("ci_bound").to_dataframe(dim_order=["position", "symbol"]).reset_index()
    frame = frame[frame["symbol"] != frame["original"]].rename(columns={"log_ratio_p": "p"})
    significant = frame["p"] < 1 - scan.attrs["ci_prob"]
    frame["verdict"] = np.where(significant, np.where(frame["log_ratio"] > 0, "better", "worse"), "")
    frame["substitution"] = frame["original"] + frame["site"].astype(str) + frame["symbol"]
    columns = ["substitution", "site", "original", "symbol", "log_ratio", "log_ratio_se", "lower", "upper", "p"]
    columns += ["verdict", *(["exact"] if "exact" in frame else [])]
    return frame.sort_values("log_ratio", ascending=False, kind="stable")[columns].reset_index(drop=True)


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


def _labelled(log_ratios: FloatArray, level: float, **others: FloatArray) -> xr.Dataset:
    """Label replicates (position, symbol, replicate) and others (position, symbol)."""
    *cells, replicates = log_ratios.shape
    flat = replicates_dataset(
        "log_ratio",
        log_ratios.reshape(-1, replicates),
        labels=("cell", range(np.prod(cells))),
        level=level,
        bars=None,
        **{name: values.reshape(-1) for name, values in others.items()},
    )
    flat = describe(flat, VARIABLES)
    grid = flat.coarsen(cell=cells[1]).construct(cell=("position", "symbol")).drop_vars("cell")
    for variable in grid.data_vars.values():
        variable.attrs["long_name"] = variable.attrs["long_name"].replace("first over second", "mutant over original")
    return grid
