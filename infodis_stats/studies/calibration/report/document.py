"""The report of a study of calibration."""

from collections.abc import Iterator

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.plots.calibration_cells import main_level
from infodis_stats.plots.coverage import plot_coverage, plot_width
from infodis_stats.report.document import Answer, Document, Figure, Heading, Note, Points, Section, Table
from infodis_stats.report.svg import svg_of
from infodis_stats.results.error_bars import SAMPLE_CAUTIONS, interval_kind
from infodis_stats.results.validity import held
from infodis_stats.studies.calibration.report.answer import answer
from infodis_stats.studies.calibration.report.cells import main_interval
from infodis_stats.studies.calibration.report.tables import (
    caution_table,
    estimator_table,
    kind_table,
    numeric_tables,
    short_table,
)
from infodis_stats.studies.view import Study

__all__ = ["calibration_document"]


def calibration_document(study: Study) -> Document:
    """Return the report of a study of calibration."""
    item = "pair" if study.attrs["quantity"] == "log_ratio" else "target"
    return Document(
        title=study.attrs["title"],
        subtitle=f"{counted(study.summary.sizes['group'], 'group')}, "
        f"{counted(study['counts'].sizes['item'], item)}, each drawn "
        f"{study.attrs['draws']} times with every estimator and number of passes",
        sections=[
            Answer(tuple(answer(study))),
            Note(
                "The draws are divided into as many intervals of each number of replicates as they allow. Results are "
                f"for exactly these {item}s. "
                "A caution holds for a whole cell, by construction, or for a single interval, because of its sample "
                f"({', '.join(SAMPLE_CAUTIONS)}). If at least half of the intervals of a cell have one, it holds for "
                "the cell. Coverage and width without a caution count the intervals that have neither. A cell is "
                "short if this coverage is significantly more than one point below nominal. Width: the median "
                "interval over the normal one of known variance. Estimators that are exact on a group have no cell, "
                "because their intervals are points."
            ),
            Heading("Coverage"),
            Figure(
                "coverage",
                "Coverage",
                svg_of("coverage", plot_coverage, study.tree),
                f"One dot per cell, nominal {100 * main_level(study.summary):g} %. Blue: the intervals without a "
                "caution, in cells without one. Orange: all intervals of the cells with a caution. Cells that cover "
                "less than 60 % are drawn at 60 %.",
            ),
            Heading("Width"),
            Figure(
                "width",
                "Width",
                svg_of("width", plot_width, study.tree),
                "Intervals without a caution; bars are medians. Cells above the panel are not shown.",
            ),
            *_kinds(study),
            *_default(study),
        ],
        tables=numeric_tables(study),
        cell="A cell is an estimator on a group, with one number of passes and one of replicates.",
    )


def _kinds(study: Study) -> Iterator[Section]:
    yield Heading("By kind of interval")
    yield Heading("Intervals without a caution", 3)
    yield Table(kind_table(study, cautioned=False), headline="Coverage and width, no caution")
    yield Heading("Cells with a caution, all intervals", 3)
    yield Table(kind_table(study, cautioned=True))
    yield Points([(name, interval_kind(name).summary) for name in study.summary["interval"].values.tolist()])


def _default(study: Study) -> Iterator[Section]:
    main = main_interval(study.summary)
    yield Heading(f"{main}, by estimator and replicates")
    yield Table(estimator_table(study, main))
    yield Note(
        "One column per number of replicates: coverage in percent of the intervals without a caution, in brackets that "
        "of the worst cell, and the width."
    )
    yield Heading(f"Cautions of {main}, by estimator")
    yield Table(caution_table(study, main), headline=f"Intervals of {main} without a caution")
    yield Note(
        "Shares of all intervals. The last three columns are the cautions of single intervals, in cells with a caution "
        "and in others; an interval can have several."
    )
    yield Heading(f"Where {main} is short without a caution")
    yield Table(short_table(study, main))
    cautions = held(study.summary["cautions"])
    if cautions:
        items = [(caution.key, f"{caution.sentence}.") for caution in cautions]
        yield Heading("Cautions")
        yield Points(items, "A caution holds for some cells:", warning=True)
