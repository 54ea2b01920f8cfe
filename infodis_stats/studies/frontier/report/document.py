"""The report of a study of the frontier."""

from collections.abc import Iterator

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.plots.frontier import plot_gains, row_names
from infodis_stats.report.document import Answer, Details, Document, Figure, Heading, Note, Points, Section, Table
from infodis_stats.report.svg import svg_of
from infodis_stats.results.validity import held
from infodis_stats.studies.frontier.report.answer import answer
from infodis_stats.studies.frontier.report.cells import autos
from infodis_stats.studies.frontier.report.tables import gain_table, mean_table, numeric_tables, regret_table
from infodis_stats.studies.view import Study

__all__ = ["frontier_document"]


def frontier_document(study: Study) -> Document:
    """Return the report of a study of the frontier."""
    summary = study.summary
    subjects = list(dict.fromkeys(summary["subject"].values.tolist()))
    sizes = [
        counted(len(subjects), "subject"),
        counted(summary.sizes["group"], "group"),
        counted(study.draws.sizes["item"], _items(study)[:-1]),
    ]
    replicates = study.draws.sizes["replicate"]
    return Document(
        title=study.attrs["title"],
        subtitle=f"{', '.join(sizes)}; {replicates} replicates of each estimate",
        sections=[
            Answer(tuple(answer(study))),
            Note(
                "Variances are of one replicate at equal forward passes. The best is chosen on one half of the "
                "replicates and its gain is measured on the other, both ways round: the smallest of many noisy "
                "variances would flatter it. Averages are geometric means over the groups of 16 to 64 scored positions "
                f"that are not exact; {_level(study)} intervals cover the noise of the replicates, for exactly "
                f"these {_items(study)}."
            ),
            *_winners(study),
            *_gains(study),
            *_regrets(study),
            *_all_estimators(study, subjects),
            *_untrusted(study),
        ],
        tables=numeric_tables(study),
        cell="A cell is a group at one number of passes; for biases, an estimator there.",
    )


def _items(study: Study) -> str:
    return "pairs" if study.attrs["quantity"] == "log_ratio" else "targets"


def _level(study: Study) -> str:
    return f"{100 * study.summary.attrs['ci_prob']:g} %"


def _winners(study: Study) -> Iterator[Section]:
    title = "The best estimator at every length and number of passes"
    yield Heading(title)
    for number, rival in enumerate(study.summary["rival"].values.tolist(), 1):
        figure = svg_of(f"frontier-{number}", plot_gains, study.summary, rival)
        if number == 1:
            caption = (
                f"Colour: the estimator with the least variance on a group of {_items(study)} (down: scored positions) "
                "against forward passes (across). Number: how many times less variance it has than "
                f"{rival}. Exact: all its replicates are equal; of several exact estimators, the first in the study "
                "file. Corner: the colour of the next best, where the two are not significantly different."
            )
            yield Figure(f"frontier-{number}", f"Relative to {rival}", figure, caption)
        else:
            title = f"The same map relative to {rival}"
            yield Details(title, [Figure(f"frontier-{number}", f"Relative to {rival}", figure)])


def _gains(study: Study) -> Iterator[Section]:
    yield Heading("Gains on average")
    for rival in study.summary["rival"].values.tolist():
        yield Heading(f"Times less variance than {rival}", 3)
        yield Table(mean_table(study, rival), headline=f"Times less variance than {rival}, on average")
    yield Note(
        "One column per number of passes. Groups where the estimator is exact are counted, not averaged; “exact” where "
        "all are. –: not run with this number of passes."
    )


def _regrets(study: Study) -> Iterator[Section]:
    for name in autos(study.summary):
        yield Heading(f"Regret of {name}")
        yield Table(regret_table(study, name))
        yield Note(
            "Its variance over that of the best other estimator (1 where it chose the best): the geometric mean over "
            "the groups of 16 to 64 scored positions with its interval; then the largest of any group, ∞ where "
            "another estimator is exact and it is not."
        )


def _all_estimators(study: Study, subjects: list[str]) -> Iterator[Section]:
    summary = study.summary
    yield Heading("All estimators")
    yield Note(
        f"Times less variance than {summary['rival'].values[0]}, with {_level(study)} bootstrap-t intervals. ◆ the "
        "best of the cell, ◇ not significantly different from it."
    )
    for subject in subjects:
        part = summary.isel(group=summary["subject"].values == subject)
        tables: list[Section] = []
        for row, group in zip(row_names(part), part["group"].values.tolist(), strict=True):
            tables += [Heading(f"{row} scored positions", 4), Table(gain_table(study, group))]
        yield Details(subject, tables)


def _untrusted(study: Study) -> Iterator[Section]:
    flags = study.summary["cautions"]
    named = {name: held(flags.sel(estimator=name)) for name in flags["estimator"].values.tolist()}
    items = [
        (name, f"{'; '.join(caution.sentence for caution in cautions)}.")
        for name, cautions in named.items()
        if cautions
    ]
    if items:
        yield Points(items, "These are shown and never count as the best:", warning=True)
