"""The report of a comparison of estimators, put together."""

from infodis_stats.report.document import Document
from infodis_stats.results.validity import held
from infodis_stats.studies.comparison.report.answer import answer
from infodis_stats.studies.comparison.report.figures import efficiency_figure, estimates_figure, variance_figure
from infodis_stats.studies.comparison.report.learned import learned_figure, learned_table
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


def comparison_document(study: Study) -> Document:
    """Return the report of what `run_study` makes of a comparison of estimators."""
    summary, truth = study.summary, study.truth
    groups = summary["group"].values.tolist()
    largest = int(summary["passes"][-1])
    main = {group: main_table(study, group) for group in groups}
    members = {group: (truth["group"] == group).values for group in groups}
    figures = {"estimates": estimates_figure, "efficiency": efficiency_figure}
    if summary.sizes["passes"] > 1:
        figures["variance"] = variance_figure
    learned = learned_table(study)
    if len(learned):
        figures["learned"] = learned_figure
    return Document(
        template="comparison",
        answer=tuple(answer(study)),
        headlines={f"{group}, {largest} passes": table for group, table in main.items()},
        figures=figures,
        tables=numeric_tables(study),
        content={
            "learned": learned,
            "truth_passes": study.attrs["truth_passes"],
            "exact": not truth["truth_se"].values.any(),
            "ratio": study.attrs["quantity"] == "log_ratio",
            "groups": groups,
            "sizes": {group: int(member.sum()) for group, member in members.items()},
            "reference": summary.attrs["reference"],
            "level": f"{100 * summary.attrs['ci_prob']:g}",
            "interval_replicates": summary.attrs["interval_replicates"],
            "replicates": study.draws.sizes["replicate"],
            "enumerated": bool(summary["exact_variance"].notnull().any()),
            "largest_passes": largest,
            "main": main,
            "efficiency": {group: efficiency_table(study, group) for group in groups},
            "convergence": summary.sizes["passes"] > 1,
            "slopes": {group: slope_table(study, group) for group in groups},
            "bias": {group: bias_table(study, group) for group in groups},
            "coverage": {
                kind: {group: coverage_table(study, group, kind) for group in groups} for kind in ("student-t", "bca")
            },
            "tails": {group: tail_table(study, group) for group in groups},
            "cautions": {caution.key: caution.sentence for caution in held(summary["cautions"])},
            "profile": {
                group: {
                    "effective": float(truth["effective_positions"].values[member].min()),
                    "ratio": float(truth["full_mask_ratio"].values[member].max()),
                }
                for group, member in members.items()
            },
        },
    )
