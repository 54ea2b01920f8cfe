"""Information: masked estimators against score entropies on laws, and mutual information against noise."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from scipy import stats

from estimators import Draw, InputError
from estimators.estimator import estimator_of
from estimators.score_entropy.naming import NOISES
from estimators.streams import root_seed, stream
from infodis_stats import analysis
from infodis_stats.estimates.information import INFORMATION_VARIABLES, Curve, entropy_of, plan_curve
from infodis_stats.execution import Columns, Section
from infodis_stats.results.labels import CI_BOUND, describe
from infodis_stats.studies.comparison.lead import lead_of
from infodis_stats.studies.comparison.run import draws_dataset, draws_section, summary_dataset
from infodis_stats.studies.comparison.variables import VARIABLES as COMPARISON_VARIABLES
from infodis_stats.studies.design.chosen import chosen_samplers
from infodis_stats.studies.design.grid import Samplers, check_runs, lay_out
from infodis_stats.studies.design.reference_values import truth_dataset, truth_sections
from infodis_stats.studies.design.result import Result, Steps
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_sets import Group, items_of, make_groups
from infodis_stats.studies.information.schema import InformationSpec, SequencesSpec
from infodis_stats.studies.information.variables import VARIABLES

__all__ = ["family_lead", "follow_information"]


def follow_information(subjects: Sequence[Subject], spec: InformationSpec) -> Steps:
    """Compare masked estimators with score entropies, and estimate information against noise.

    Returns
    -------
    Result
        ``draws``, ``truth`` and ``summary`` as in a comparison of estimators, with the groups of all subjects and the
        `family_lead`; and ``curves`` over group, noise and noise level, as in `estimate_information`, with the entropy
        of each group's law and a test of the total against it.
    """
    samplers = spec.samplers()
    grouped = [_named_groups(subject, table) for subject, table in zip(subjects, spec.subjects, strict=True)]
    grids = [
        lay_out(items_of(groups), samplers, spec.passes, spec.replicates, subject.model)
        for subject, groups in zip(subjects, grouped, strict=True)
    ]
    check_runs(grids)
    curves = [
        (group, [_curve(subject, group, name, spec) for name in spec.curves.noises])
        for subject, groups in zip(subjects, grouped, strict=True)
        for group in groups
    ]
    sections = [
        [draws_section(subject, grid, spec.seed), *truth_sections(subject, groups, samplers, passes=0, seed=spec.seed)]
        for subject, groups, grid in zip(subjects, grouped, grids, strict=True)
    ]
    sections.append([_curve_section(group, curve) for group, group_curves in curves for curve in group_curves])
    stored = iter((yield [section for subject_sections in sections for section in subject_sections]))
    drawn, truths = [], []
    for subject, groups, grid in zip(subjects, grouped, grids, strict=True):
        drawn.append(draws_dataset(groups, grid, next(stored)))
        truths.append(truth_dataset(subject, groups, samplers, [next(stored) for _ in range(3)]))
    labelled = [
        _labelled(group, group_curves, [next(stored) for _ in group_curves], spec) for group, group_curves in curves
    ]
    draws, truth = (describe(xr.concat(parts, dim="item"), VARIABLES) for parts in (drawn, truths))
    tested = _tested(xr.concat(labelled, dim="group"), spec)
    lead = family_lead(draws, samplers, level=spec.level, seed=spec.seed)
    summary = summary_dataset(draws, truth, spec, chosen_samplers(subjects, grouped, grids)).assign(lead)
    described = describe(summary, COMPARISON_VARIABLES | VARIABLES)
    return Result(
        {"draws": draws, "truth": truth, "summary": described, "curves": tested},
        forward_passes=int(np.nansum(draws["forward_passes"].values)) + int(tested["forward_passes"].sum()),
        not_run=[reason for grid in grids for reason in grid.not_run],
        attributes={"quantity": "nll"},
    )


def family_lead(draws: xr.Dataset, samplers: Samplers, *, level: float = 0.95, seed: int = 0) -> xr.Dataset:
    """Compare the best score entropy with the best masked estimator, group by group, at equal passes.

    The best have the least variance of one half of the replicates, averaged over the group; they are compared on the
    other half, because the smallest of many noisy variances is biased downwards. Estimators that are biased or have
    infinite variance by construction are left out.

    Parameters
    ----------
    draws : xarray.Dataset
        ``estimate (item, estimator, passes, replicate)``, with a coordinate ``group`` on the items.
    samplers : sequence of Estimator
        In the order of the draws.
    level : float, default 0.95
    seed : int, default 0
        For the bootstrap.

    Returns
    -------
    xarray.Dataset
        Over ``(group, passes)``: ``best_masked`` and ``best_noised``, empty where there is none; ``lead``, how many
        times less variance the score entropy has, with ``lead_ci``.
    """
    names = np.array([*(sampler.name for sampler in samplers), ""])
    estimators = [estimator_of(sampler) for sampler in samplers]
    sound = np.array([estimator.unbiased and estimator.finite_variance for estimator in estimators])
    noised = np.array([estimator.family == "noised" for estimator in estimators])
    groups = list(dict.fromkeys(draws["group"].values.tolist()))
    parts = []
    for group in groups:
        estimates = draws["estimate"].values[(draws["group"] == group).values].transpose(1, 2, 0, 3)
        rng = stream(root_seed(seed), "lead", group)
        lead = lead_of(estimates, estimates, (sound & ~noised, sound & noised), rng, level)
        parts.append((names[lead.first], names[lead.second], lead.ratio))
    best_masked, best_noised, leads = (np.stack(column) for column in zip(*parts, strict=True))
    cells = ["group", "passes"]
    return xr.Dataset(
        {
            "best_masked": (cells, best_masked),
            "best_noised": (cells, best_noised),
            "lead": (cells, leads[..., 0]),
            "lead_ci": ([*cells, CI_BOUND[0]], leads[..., 1:]),
        },
        coords={"group": groups, "passes": draws["passes"].values, CI_BOUND[0]: CI_BOUND[1]},
    )


def _named_groups(subject: Subject, table: SequencesSpec) -> list[Group]:
    """Make the groups of a subject: a single one has the subject's name, several have it as a prefix."""
    groups = make_groups(subject, table)
    for group in groups:
        sizes = {(side.length, len(side.tokens)) for item in group.items for side in item.sides}
        if len(sizes) > 1 or any(scored < length for scored, length in sizes):
            raise InputError(
                f"group {group.name!r} of {table.name!r} needs whole sequences of one length, without prompts: make a "
                "group of each length"
            )
    return [replace(group, name=table.name if len(groups) == 1 else f"{table.name}: {group.name}") for group in groups]


def _curve(subject: Subject, group: Group, noise: str, spec: InformationSpec) -> Curve:
    """Plan the curve of a law at the length of a group's sequences."""
    assert subject.law is not None
    length = len(group.items[0].sides[0].tokens)
    size, passes = spec.curves.sequences, spec.curves.passes
    return plan_curve(subject.law, NOISES[noise], length=length, sequences=size, passes=passes, seed=spec.seed)


def _curve_section(group: Group, curve: Curve) -> Section:
    def keep(draw: Draw) -> dict[str, ArrayLike]:
        return {"later": curve.later(draw), "forward_passes": draw.forward_passes}

    columns = {"later": curve.grid.shape, "forward_passes": ()}
    return Section(f"{curve.noise.name} of {group.name}", curve.law, curve.cells, curve.seed, columns, keep)


def _labelled(group: Group, curves: Sequence[Curve], columns: Sequence[Columns], spec: InformationSpec) -> xr.Dataset:
    """Label the curves of a group, over noise."""
    law, length = curves[0].law, len(group.items[0].sides[0].tokens)
    parts = []
    for curve, drawn in zip(curves, columns, strict=True):
        labelled = curve.labelled(np.ascontiguousarray(drawn["later"].T), spec.level)
        exact = labelled.get("exact", xr.full_like(labelled["information"], np.nan))
        parts.append(labelled.assign(exact=exact, forward_passes=int(drawn["forward_passes"].sum())))
    joined = xr.concat(parts, dim="noise").assign_coords(noise=list(spec.curves.noises))
    entropy = entropy_of(law, length).get("entropy", np.nan)
    return joined.assign(entropy=entropy, length=length).assign_coords(group=group.name)


def _tested(curves: xr.Dataset, spec: InformationSpec) -> xr.Dataset:
    """Add a test of the information without noise against the entropy, where that is known."""
    total = curves.isel(noise_level=0)
    error = total["information"] - total["entropy"]
    error = error.where(~(np.abs(error) <= analysis.rounding(total["entropy"].values)[:, None]), 0.0)
    degrees = np.full(error.shape, spec.curves.sequences - 1.0)
    z = analysis.Estimates(error.values, total["information_se"].values, degrees).statistic
    p_value = analysis.family_wise(2 * stats.t.sf(np.abs(z), degrees))
    tested = describe(
        curves.assign(entropy_z=(error.dims, z), entropy_p=(error.dims, p_value)), INFORMATION_VARIABLES | VARIABLES
    )
    tested.attrs = {"ci_prob": spec.level, "sequences": spec.curves.sequences, "passes": spec.curves.passes}
    return tested
