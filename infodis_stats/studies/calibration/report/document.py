"""The report of a study of calibration, put together."""

from infodis_stats.report.document import Document
from infodis_stats.results.error_bars import interval_kind
from infodis_stats.results.validity import held
from infodis_stats.studies.calibration.report.answer import answer
from infodis_stats.studies.calibration.report.cells import main_interval, main_level
from infodis_stats.studies.calibration.report.figures import coverage_figure, width_figure
from infodis_stats.studies.calibration.report.tables import estimator_table, kind_table, numeric_tables, short_table
from infodis_stats.studies.view import Study

__all__ = ["calibration_document"]


def calibration_document(study: Study) -> Document:
    """Return the report of what `run_study` makes of a study of calibration."""
    summary = study.summary
    names = summary["interval"].values.tolist()
    main = main_interval(summary)
    plain = kind_table(study, cautioned=False)
    return Document(
        template="calibration",
        answer=tuple(answer(study)),
        headlines={"Coverage and width, no caution": plain},
        figures={"coverage": coverage_figure, "width": width_figure},
        tables=numeric_tables(study),
        content={
            "main": main,
            "plain": plain,
            "cautioned": kind_table(study, cautioned=True),
            "by_estimator": estimator_table(study, main),
            "short": short_table(study, main),
            "kinds": {name: interval_kind(name).summary for name in names},
            "cautions": {caution.key: caution.sentence for caution in held(summary["cautions"])},
            "groups": summary.sizes["group"],
            "items": study["counts"].sizes["item"],
            "draws": study.attrs["draws"],
            "replicates": ", ".join(str(one) for one in summary["replicates"].values.tolist()),
            "ratio": study.attrs["quantity"] == "log_ratio",
            "level": f"{100 * main_level(summary):g}",
        },
    )
