"""Comparisons of corpora: the cost of their texts under a model, and how well it discriminates between them."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.stats import ttest_ind

from estimators import Cell, Draw, Target
from infodis_stats import analysis
from infodis_stats.estimates.positions import position_nll
from infodis_stats.execution import Section
from infodis_stats.io.records import Record
from infodis_stats.models import TextModel
from infodis_stats.results.labels import CI_BOUND, describe
from infodis_stats.results.validity import CAUTIONS, caution_variable, cautions_of, effective_positions
from infodis_stats.studies.corpora.schema import CorporaSpec
from infodis_stats.studies.corpora.variables import VARIABLES
from infodis_stats.studies.design.failed import failed_items
from infodis_stats.studies.design.result import Result, Steps
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_sets import record_targets

__all__ = ["compare_corpora"]

FloatArray = NDArray[np.float64]


def compare_corpora(subjects: Sequence[Subject], spec: CorporaSpec) -> Steps:
    """Score the texts of corpora.

    Returns
    -------
    Result
        ``draws`` (every replicate of every text), ``maps`` (the cost of each token of some texts) and ``summary`` (by
        corpus and passes).
    """
    (subject,) = subjects
    network = subject.reader
    assert network is not None
    sampler = spec.sampler()
    records = [(corpus, record) for corpus in spec.corpora for record in corpus.texts()]
    targets = record_targets(network, [record for _, record in records], [corpus.source for corpus, _ in records])
    mapped = _mapped([corpus.name for corpus, _ in records], {corpus.name: corpus.maps for corpus in spec.corpora})
    cells = [Cell(sampler, target, passes, spec.replicates) for passes in spec.passes for target in targets]
    most = cells[-len(targets) :]
    shown = [cell for cell, chosen in zip(most, mapped, strict=True) if chosen]
    longest = max((target.length for target in targets), default=0)
    keep = partial(_contributions, longest=longest)
    columns = {"estimate": (spec.replicates,), "forward_passes": (), "effective": ()}
    drawn, maps = yield [
        Section("draws", network, cells, spec.seed, columns, _statistics, may_fail=True),
        Section("maps", network, shown, spec.seed, {"nll": (longest,), "nll_se": (longest,)}, keep, may_fail=True),
    ]
    shape = len(spec.passes), len(targets)
    estimates = drawn["estimate"].reshape(*shape, -1).swapaxes(0, 1)
    forward_passes = drawn["forward_passes"].reshape(shape).T
    effective = drawn["effective"].reshape(shape)[-1]
    draws = describe(
        xr.Dataset(
            {
                "estimate": (["text", "passes", "replicate"], estimates),
                "forward_passes": (["text", "passes"], forward_passes),
                "length": ("text", [target.length for target in targets]),
            },
            coords={
                "text": [record.name for _, record in records],
                "corpus": ("text", [corpus.name for corpus, _ in records]),
                "passes": np.array(spec.passes),
                "replicate": np.arange(spec.replicates),
            },
        ),
        VARIABLES,
    )
    names = [f"{corpus.name}/{record.name}" for corpus, record in records]
    failed = failed_items(names, (drawn.problems, np.tile(np.arange(len(names)), len(spec.passes))))
    kept = np.array([name not in failed for name in names])
    draws = draws.isel(text=kept)
    summary = summarise_corpora(draws, spec.reference, spec.level)
    asked = [(target, passes) for target, keep in zip(targets, kept, strict=True) if keep for passes in spec.passes]
    settled = (sampler.settled(target, passes, network) for target, passes in asked)
    ran = {one.name: one for one in settled}.values()  # what auto chose, not auto itself
    cautions = [caution for one in ran for caution in cautions_of(one, spec.replicates, effective[kept])]
    if summary["dominated"].any():
        cautions.append(CAUTIONS["few-documents-dominate"])
    summary["cautions"] = caution_variable([], [cautions], [])
    summary.attrs["estimator"] = sampler.name
    datasets = {"draws": draws, "summary": summary}
    rows = zip([text for text, chosen in enumerate(mapped) if chosen], maps.records, strict=True)
    drawn_maps = [_map(network, targets[text], records[text][1], row) for text, row in rows if kept[text]]
    if drawn_maps:
        datasets["maps"] = xr.concat(drawn_maps, dim="place")
    passes = int(np.nansum(draws["forward_passes"].values))
    return Result(datasets, forward_passes=passes, not_run=[], failed=failed, attributes={})


def summarise_corpora(draws: xr.Dataset, reference: str, level: float = 0.95) -> xr.Dataset:
    """Summarise the cost of the texts of each corpus.

    Texts are a sample of their corpus: intervals are over texts, whose spread includes the noise of the masks.

    Parameters
    ----------
    draws : xarray.Dataset
        ``estimate (text, passes, replicate)`` in nats and ``length (text)``, with a coordinate ``corpus`` on the texts.
    reference : str
        The corpus that the others are compared with.
    level : float, default 0.95

    Returns
    -------
    xarray.Dataset
        Over ``corpus``, from all replicates at the largest number of passes: ``texts``, ``bits_per_token`` (the mean
        over texts) with the interval of `infodis_stats.analysis.average`, whether it is ``dominated`` by a few texts,
        ``difference`` to the reference with Welch's interval, ``mask_share`` (the share of the variance between texts
        that is noise of the masks). Over ``(corpus, passes)``: ``auroc``, the
        probability that a text costs more than one of the reference, each measured by one replicate, averaged over
        replicates, with Newcombe's interval.
    """
    bits = draws["estimate"].transpose("text", "passes", "replicate").values / np.log(2)
    bits = bits / draws["length"].values[:, None, None]
    corpora = list(dict.fromkeys(draws["corpus"].values.tolist()))
    members = {corpus: (draws["corpus"] == corpus).values for corpus in corpora}
    base = bits[members[reference]]
    parts = [_corpus(bits[members[name]], None if name == reference else base, level) for name in corpora]
    summary = xr.concat(parts, dim="corpus").assign_coords(
        {"corpus": corpora, "passes": draws["passes"].values, CI_BOUND[0]: CI_BOUND[1]}
    )
    summary = describe(summary, VARIABLES)
    summary.attrs = {"reference": reference, "ci_prob": level}
    return summary


def _corpus(bits: FloatArray, base: FloatArray | None, level: float) -> xr.Dataset:
    """Summarise bits per token (text, passes, replicate) of one corpus against those of the reference."""
    means = bits[:, -1].mean(axis=-1)
    texts = analysis.Estimates.of_replicates(bits[:, -1])
    mean = analysis.average(texts, "population", level=level)
    interval = analysis.nonnegative(mean.interval, mean.estimate)
    difference, ends = 0.0, np.zeros(2)
    areas, bounds = np.full(bits.shape[1], np.nan), np.full((bits.shape[1], 2), np.nan)
    if base is not None:
        reference = base[:, -1].mean(axis=-1)
        difference = float(means.mean() - reference.mean())
        ends = np.array(ttest_ind(means, reference, equal_var=False).confidence_interval(level))
        areas = analysis.auroc(base.transpose(1, 2, 0), bits.transpose(1, 2, 0)).mean(axis=-1)
        area = analysis.auroc_interval(areas, len(base), len(bits), level)
        bounds = np.stack([area.lower, area.upper], axis=-1)
    return xr.Dataset(
        {
            "texts": len(bits),
            "bits_per_token": mean.estimate,
            "bits_per_token_ci": (CI_BOUND[0], np.array([interval.lower, interval.upper])),
            "dominated": mean.dominated,
            "difference": difference,
            "difference_ci": (CI_BOUND[0], ends),
            "mask_share": analysis.mask_share(texts),
            "auroc": ("passes", areas),
            "auroc_ci": (["passes", CI_BOUND[0]], bounds),
        }
    )


def _mapped(corpora: Sequence[str], maps: dict[str, int]) -> list[bool]:
    """Return which texts are drawn: the first of each corpus."""
    left = dict(maps)
    chosen = []
    for corpus in corpora:
        chosen.append(left[corpus] > 0)
        left[corpus] -= 1
    return chosen


def _statistics(draw: Draw) -> dict[str, ArrayLike]:
    (evaluation,) = draw.evaluations
    effective = effective_positions(evaluation.position_losses)
    return {"estimate": draw.estimates, "forward_passes": draw.forward_passes, "effective": effective}


def _contributions(draw: Draw, longest: int) -> dict[str, ArrayLike]:
    """Return the contribution of each position, padded to the longest text."""
    (evaluation,) = draw.evaluations
    contributions = position_nll(evaluation)
    error = np.sqrt(analysis.variance(contributions.T) / len(contributions))
    room = (0, longest - evaluation.target.length)
    return {
        "nll": np.pad(contributions.mean(axis=0), room, constant_values=np.nan),
        "nll_se": np.pad(error, room, constant_values=np.nan),
    }


def _map(network: TextModel, target: Target, record: Record, row: np.void) -> xr.Dataset:
    tokens = [network.decode(target.tokens[[position]]) for position in target.scored]
    return describe(
        xr.Dataset(
            {
                "nll": ("place", row["nll"][: target.length]),
                "nll_se": ("place", row["nll_se"][: target.length]),
                "token": ("place", tokens),
            },
            coords={
                "text": ("place", [record.name] * len(tokens)),
                "prompt": ("place", [record.prompt] * len(tokens)),
            },
        ),
        VARIABLES,
    )
