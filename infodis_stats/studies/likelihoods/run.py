"""Likelihoods: one set of texts under every estimand, and published estimators against the any-order value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from estimators import Cell, Draw, Estimator, Exhaustive, InputError, Model, Target
from estimators.masked.published import Published, mean_from_losses
from estimators.model import prices_masks
from infodis_stats.execution import Columns, Section
from infodis_stats.results.labels import describe
from infodis_stats.results.validity import caution_variable, cautions_of
from infodis_stats.studies.design.failed import failed_items
from infodis_stats.studies.design.grid import Grid, check_runs, lay_out
from infodis_stats.studies.design.reference_values import FLOAT32, item_coords, long_run, long_runs
from infodis_stats.studies.design.result import Result, Steps
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_schema import SubjectSpec
from infodis_stats.studies.design.target_sets import make_groups
from infodis_stats.studies.likelihoods.known_losses import KnownLosses
from infodis_stats.studies.likelihoods.schema import LikelihoodsSpec, PublishedSpec
from infodis_stats.studies.likelihoods.summary import summarise_published, summarise_values
from infodis_stats.studies.likelihoods.values import likelihood_values
from infodis_stats.studies.likelihoods.variables import VARIABLES

__all__ = ["compare_likelihoods"]


def compare_likelihoods(subjects: Sequence[Subject], spec: LikelihoodsSpec) -> Steps:
    """Compare the likelihoods of each subject's texts, and published estimators with the any-order value.

    Returns
    -------
    Result
        ``truth`` (any-order values), ``values`` (every estimand of every text), ``draws`` (every batch of every
        estimator) and ``summary``.

    Raises
    ------
    InputError
        If an estimator cannot run on any of its subjects.
    """
    parts = [_part(subject, table, spec) for subject, table in zip(subjects, spec.subjects, strict=True)]
    check_runs([grid for part in parts for grid in part.grids])
    known = yield [_truth_section(part, spec) for part in parts]
    models = [
        KnownLosses(part.subject.model, part.items, list(truth["losses"])) if part.exact else part.subject.model
        for part, truth in zip(parts, known, strict=True)
    ]
    sections = [_batch_sections(part, model, spec) for part, model in zip(parts, models, strict=True)]
    stored = iter((yield [section for of_part in sections for section in of_part]))
    columns = [[truth, *(next(stored) for _ in part.grids)] for truth, part in zip(known, parts, strict=True)]
    failed: dict[str, str] = {}
    truths, values, draws = [], [], []
    for part, model, drawn in zip(parts, models, columns, strict=True):
        owners = [np.arange(len(part.items)), *(grid.slots[:, 0] for grid in part.grids)]
        problems = list(zip([each.problems for each in drawn], owners, strict=True))
        lost = failed_items(part.coords["item"][1], *problems)
        own_truth = _truth(part, drawn[0], spec).drop_sel(item=list(lost))
        own_draws = _draws(part, drawn[0], drawn[1:], spec).drop_sel(item=list(lost))
        kept = [item for item, name in zip(part.items, part.coords["item"][1], strict=True) if name not in lost]
        of_part = likelihood_values(part.subject.model, model, kept, own_truth, spec)
        failed |= lost | of_part.failed
        truths.append(own_truth.drop_sel(item=list(of_part.failed)))
        draws.append(own_draws.drop_sel(item=list(of_part.failed)))
        values.append(of_part)
    truth, drawn_all = (describe(xr.concat(each, dim="item"), VARIABLES) for each in (truths, draws))
    names = dict.fromkeys(name for each in values for name in each.dataset["estimand"].values.tolist())
    value = describe(xr.concat([each.dataset.reindex(estimand=list(names)) for each in values], dim="item"), VARIABLES)
    counts = [each.batches for each in spec.estimators]
    summary = summarise_values(value, truth, level=spec.level).assign(summarise_published(drawn_all, truth, counts))
    summary["published_passes"] = "estimator", [each.passes * each.batches for each in spec.estimators]
    summary["published_name"] = "estimator", [each.name for each in spec.estimators]
    summary["cautions"] = _cautions(spec)
    summary.attrs = {"ci_prob": spec.level, "family": "Holm over all subjects and estimators"}
    return Result(
        {"truth": truth, "values": value, "draws": drawn_all, "summary": describe(summary, VARIABLES)},
        forward_passes=sum(each.forward_passes for each in values) + sum(map(_forward_passes, parts, columns)),
        not_run=[reason for part in parts for grid in part.grids for reason in grid.not_run]
        + [reason for each in values for reason in each.not_run],
        failed=failed,
        attributes={"estimand": "; ".join(names)},
    )


@dataclass(frozen=True, eq=False)
class _Part:
    """The part of a study for one subject."""

    subject: Subject
    items: list[Target]
    coords: Mapping[str, tuple[str, list[str]]]
    law_values: list[NDArray[np.float64]]  # of each group, under a law
    published: list[PublishedSpec]
    grids: list[Grid]  # of each of the published estimators
    exact: bool  # whether all masks of every text are run


def _part(subject: Subject, table: SubjectSpec, spec: LikelihoodsSpec) -> _Part:
    if not prices_masks(subject.model):
        raise InputError(
            f"subject {table.name!r}: a study of likelihoods needs a model that prices masked tokens, and "
            f"{type(subject.model).__name__} does not"
        )
    groups = [
        replace(
            group,
            name=f"{table.name}/{group.name}",
            items=group.items[: spec.texts],
            exact=None if group.exact is None else group.exact[: spec.texts],
        )
        for group in make_groups(subject, table)
    ]
    items = [item for group in groups for item in group.items if isinstance(item, Target)]
    published = spec.published(table.name)
    return _Part(
        subject,
        items,
        item_coords(groups) | {"subject": ("item", [table.name] * len(items))},
        [group.exact for group in groups if group.exact is not None] if subject.exact else [],
        published,
        [lay_out(items, [each.sampler()], [each.passes], spec.replicates, subject.model) for each in published],
        all(_is_exact(item, subject.model, spec) for item in items),
    )


def _truth_section(part: _Part, spec: LikelihoodsSpec) -> Section:
    """Return the section of the any-order values: from all masks, whose losses are kept, or from long runs."""
    model = part.subject.model
    if not part.exact:
        return replace(long_runs(model, part.items, passes=spec.truth_passes, seed=spec.seed), may_fail=True)
    schemes = tuple((each.sampler(), each.passes) for each in part.published)
    cells = [Cell(Exhaustive(), item, 2**item.longest_block, 1) for item in part.items]
    shape = 2 ** max(item.longest_block for item in part.items) - 1, max(item.length for item in part.items)
    columns = {"value": (), "error": (), "mean": (len(schemes),), "losses": shape}
    keep, labels = (
        partial(_from_all_masks, schemes=schemes, shape=shape),
        " ".join(each.label for each in part.published),
    )
    return Section("all masks", model, cells, 0, columns, keep, labels, may_fail=True)


def _batch_sections(part: _Part, model: Model, spec: LikelihoodsSpec) -> list[Section]:
    """Return the sections of the batches of each estimator."""
    seed = np.random.SeedSequence(spec.seed).spawn(2)[1]
    columns = {"estimate": (spec.replicates,), "forward_passes": ()}
    name = part.coords["subject"][1][0]
    return [
        Section(f"batches of {name}, {each.label}", model, grid, seed, columns, _statistics, may_fail=True)
        for each, grid in zip(part.published, part.grids, strict=True)
    ]


def _forward_passes(part: _Part, columns: Sequence[Columns]) -> int:
    """Return the passes that were run for a subject: nothing is run again where all losses are known."""
    if part.exact:
        return sum(2**item.longest_block - 1 for item in part.items)
    return sum(int(np.nansum(each["forward_passes"])) for each in columns[1:])


def _from_all_masks(
    draw: Draw, schemes: Sequence[tuple[Estimator, int]], shape: tuple[int, int]
) -> dict[str, ArrayLike]:
    """Return the any-order value, its rounding, the exact mean of each estimator (NaN: unknown), and all losses."""
    (evaluation,) = draw.evaluations
    (value,), (losses,) = draw.estimates, evaluation.losses
    means = [exact_mean(scheme, evaluation.target, losses, passes, value) for scheme, passes in schemes]
    room = [(0, most - size) for most, size in zip(shape, losses.shape, strict=True)]
    padded = np.pad(losses, room, constant_values=np.nan)
    return {"value": value, "error": FLOAT32 * value, "mean": means, "losses": padded}


def exact_mean(scheme: Estimator, target: Target, losses: NDArray[np.float64], passes: int, value: float) -> float:
    """Return the exact mean of an estimator from the losses of all masks; NaN where it is unknown.

    Parameters
    ----------
    scheme : Estimator
    target : Target
    losses : array of float64, shape (passes of the exhaustive plan, length)
        Nats.
    passes : int
        Passes of a batch.
    value : float
        The any-order value, which is the mean of an estimator without bias.
    """
    if isinstance(scheme, Published):
        try:
            return mean_from_losses(scheme, target, losses, passes)
        except InputError:  # it cannot run with so few passes, or has too many outcomes to enumerate
            return np.nan
    return value if scheme.unbiased else np.nan


def _statistics(draw: Draw) -> dict[str, ArrayLike]:
    return {"estimate": draw.estimates, "forward_passes": draw.forward_passes}


def _is_exact(item: Target, model: Model, spec: LikelihoodsSpec) -> bool:
    """Return whether all masks of a target are few enough to be run."""
    return isinstance(long_run(item, spec.truth_passes, model).sampler, Exhaustive)


def _truth(part: _Part, columns: Columns, spec: LikelihoodsSpec) -> xr.Dataset:
    """Label the any-order values: those of the law, of all masks, or of a long run."""
    model, reader = part.subject.model, part.subject.reader
    exact = [part.exact or _is_exact(item, model, spec) for item in part.items]
    value, error = columns["value"], columns["error"]
    if part.law_values:
        value, error, exact = np.concatenate(part.law_values), np.zeros(len(part.items)), [True] * len(part.items)
    texts = [item.tokens[item.scored] for item in part.items]
    return xr.Dataset(
        {
            "truth": ("item", value),
            "truth_se": ("item", error),
            "enumerated": ("item", np.array(exact)),
            "length": ("item", [len(text) for text in texts]),
            "bytes": ("item", [len(text) if reader is None else len(reader.decode(text).encode()) for text in texts]),
        },
        coords=dict(part.coords),
    )


def _draws(part: _Part, truth: Columns, columns: Sequence[Columns], spec: LikelihoodsSpec) -> xr.Dataset:
    """Label the batches of every estimator; NaN where one did not run."""
    values = [grid.filled(each["estimate"])[:, 0, 0] for grid, each in zip(part.grids, columns, strict=True)]
    shape = (len(part.items), 0, spec.replicates)
    unknown = np.full((len(part.items), len(part.grids)), np.nan)
    return xr.Dataset(
        {
            "estimate": (["item", "estimator", "replicate"], np.stack(values, axis=1) if values else np.empty(shape)),
            "exact_mean": (["item", "estimator"], truth["mean"] if part.exact else unknown),
        },
        coords=dict(part.coords)
        | {"estimator": [each.label for each in part.published], "replicate": np.arange(spec.replicates)},
    ).reindex(estimator=[each.label for each in spec.estimators])


def _cautions(spec: LikelihoodsSpec) -> xr.DataArray:
    cautions = [cautions_of(each.sampler(), spec.replicates) for each in spec.estimators]
    return caution_variable(["estimator"], cautions, [len(cautions)])
