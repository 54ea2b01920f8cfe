"""The report of a comparison of estimators."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.plots.variance import plot_variance
from infodis_stats.report.document import MARKS, Answer, Document, Figure, Heading, Note, Points, Section, Table
from infodis_stats.report.svg import svg_of
from infodis_stats.results.validity import held
from infodis_stats.studies.comparison.report.answer import answer
from infodis_stats.studies.comparison.report.figures import efficiency_figure, errors_figure
from infodis_stats.studies.comparison.report.learned import learned_figure, learned_table
from infodis_stats.studies.comparison.report.subjects import subject_table
from infodis_stats.studies.comparison.report.tables import (
    bias_table,
    coverage_table,
    efficiency_table,
    main_table,
    numeric_tables,
    slope_table,
    tail_table,
)
from infodis_stats.studies.view import Study

__all__ = ["comparison_document"]


CELL = "A cell is an estimator on a group, at one number of passes."


def comparison_document(study: Study) -> Document:
    """Return the report of a comparison of estimators."""
    groups = study.summary["group"].values.tolist()
    model = "; ".join(name.rsplit(" ", 1)[0] for name in study.provenance["model"].split("; "))  # without digests
    sizes = [
        counted(size, _items(study)[:-1]) + (f" ({group})" if len(groups) > 1 else "") for group, size in _sizes(study)
    ]
    return Document(
        title=study.attrs["title"],
        subtitle=f"{model}; {', '.join(sizes)}; {study.draws.sizes['replicate']} replicates of each estimate",
        sections=[
            Answer(tuple(answer(study))),
            *_subjects(study),
            *_main(study),
            *_estimates(study),
            *_learned(study),
            *(_variance(study) if study.summary.sizes["passes"] > 1 else []),
            *_efficiency(study),
            *_bias(study),
            *_coverage(study),
            *_tails(study),
        ],
        tables=numeric_tables(study),
        cell=CELL,
    )


def _items(study: Study) -> str:
    return "pairs" if study.attrs["quantity"] == "log_ratio" else "sequences"


def _sizes(study: Study) -> list[tuple[str, int]]:
    groups = study.truth["group"].values.tolist()
    return [(group, groups.count(group)) for group in study.summary["group"].values.tolist()]


def _level(study: Study) -> str:
    return f"{100 * study.summary.attrs['ci_prob']:g} %"


def _tables(study: Study, table: Callable[[Study, str], pd.DataFrame], prefix: str = "") -> Iterator[Section]:
    """Yield a table of each group, under its name where there are several."""
    groups = study.summary["group"].values.tolist()
    for group in groups:
        title = ", ".join(part for part in (prefix, group if len(groups) > 1 else "") if part)
        if title:
            yield Heading(title, 3)
        yield Table(table(study, group))


def _main(study: Study) -> Iterator[Section]:
    groups, passes = study.summary["group"].values.tolist(), int(study.summary["passes"][-1])
    yield Heading(f"At {counted(passes, 'pass')}")
    for group in groups:
        if len(groups) > 1:
            yield Heading(group, 3)
        yield Table(main_table(study, group), headline=f"{group}, {counted(passes, 'pass')}")
    yield Note(f"{MARKS} Estimators that are exact, or that are biased or of infinite variance, get no mark.")
    cautions = held(study.summary["cautions"])
    if cautions:
        lead = "Estimators with a caution have a † in the tables below. A caution holds by construction:"
        yield Points([(caution.key, f"{caution.sentence}.") for caution in cautions], lead, warning=True)


def _subjects(study: Study) -> Iterator[Section]:
    table = subject_table(study)
    if len(table):
        yield Heading("Subjects against one another")
        yield Table(table, headline="Subjects against one another")
        yield Note(
            "On the items that they share: reference values with the standard error of their long runs; the estimator "
            "of each subject that has the least variance, without those that are biased or of infinite variance by "
            f"construction; and × at N: how many times less variance it has at N passes than that of "
            f"the first subject, with a {_level(study)} bootstrap-t interval. Estimators are chosen on one half of the "
            "replicates and compared on the other."
        )
        yield Note(
            "The values are of different models (a bound under masks and a bound under uniform noise are different "
            "bounds): only the variances at equal passes compare estimators, each for its own value."
        )


def _estimates(study: Study) -> Iterator[Section]:
    exact = not study.truth["truth_se"].values.any()
    against = "the exact value" if exact else "the reference value"
    yield Heading("Estimates minus the truth")
    yield Figure(
        "estimates",
        "Estimates minus the truth",
        errors_figure(study),
        f"Mean of {study.summary.attrs['interval_replicates']} replicates with its nominal {_level(study)} Student-t "
        f"interval, minus {against}. Red: the interval does not cover 0. All panels have one scale, which shows 95 % "
        "of the intervals whole.",
    )
    if not exact:
        yield Note(
            "A network's own value is known from all masks of a short target, or from an independent long "
            f"run ({study.attrs['truth_passes']} passes). Its standard error is included in the biases and the "
            "intervals whose coverage is measured; coverage is left out (–) where it exceeds half of the interval's."
        )


def _learned(study: Study) -> Iterator[Section]:
    table = learned_table(study)
    if len(table):
        yield Heading("Learned against true")
        caption = (
            f"The network's value of each of the {_items(study)} minus that of the law from which it was drawn, with "
            "two standard errors of the network's value."
        )
        yield Figure("learned", "Learned against true", learned_figure(study), caption)
        yield Table(table)


def _variance(study: Study) -> Iterator[Section]:
    caption = "Variance of one replicate, averaged over the group."
    if study.summary["exact_variance"].notnull().any():
        caption += " Broad pale lines: the exact variance of independent passes, by enumeration of all masks."
    yield Heading("Variance against passes")
    yield Figure("variance", "Variance against passes", svg_of("variance", plot_variance, study.tree), caption)
    yield Note(f"Slope of log variance on log passes with its {_level(study)} interval; independent passes have −1.")
    yield from _tables(study, slope_table)


def _efficiency(study: Study) -> Iterator[Section]:
    yield Heading(f"Times less variance than {study.summary.attrs['reference']}")
    yield Figure("efficiency", "Times less variance", efficiency_figure(study))
    yield Note(
        f"At equal passes, over a fixed set of targets; {_level(study)} bootstrap-t intervals over "
        f"{study.draws.sizes['replicate']} replicates. One column per number of passes."
    )
    yield from _tables(study, efficiency_table)


def _bias(study: Study) -> Iterator[Section]:
    yield Heading("Bias")
    yield Note("Mean error in nats (z-score). Starred: significant, family-wise at 5 % over the whole study (Holm).")
    yield from _tables(study, bias_table)


def _coverage(study: Study) -> Iterator[Section]:
    yield Heading("Coverage")
    yield Note(
        f"Share of nominal {_level(study)} intervals from {study.summary.attrs['interval_replicates']} replicates that "
        "cover the truth, in percent, with its Wilson interval. Starred: significantly different from nominal "
        "(binomial, family-wise at 5 % over the study). BCa is known to be too short with few replicates and is shown "
        "for comparison. Exact: the intervals are points, and have no coverage."
    )
    for kind, name in (("student-t", "Student-t"), ("bca", "BCa bootstrap")):
        yield from _tables(study, lambda study, group, kind=kind: coverage_table(study, group, kind), name)  # type: ignore[misc]


def _tails(study: Study) -> Iterator[Section]:
    truth, groups = study.truth, study.summary["group"].values.tolist()
    after = ""
    if study.summary["exact_variance"].notnull().any():
        after = " After it, the measured variance over the exact one."
    yield Heading("Tails")
    yield Note(
        "Median Pareto k-hat of single passes: information, not a flag, because the bad samples are the ones that "
        f"missed the tail.{after}"
    )
    for group in groups:
        member = (truth["group"] == group).values
        fewest = float(truth["effective_positions"].values[member].min())
        largest = float(truth["full_mask_ratio"].values[member].max())
        if len(groups) > 1:
            yield Heading(group, 3)
        if np.isfinite(fewest):  # otherwise the model prices no masked tokens
            yield Note(
                f"Fewest effective positions {fewest:.1f}; largest ratio of the fully masked loss to the likelihood "
                f"{largest:.1f}."
            )
        yield Table(tail_table(study, group))
