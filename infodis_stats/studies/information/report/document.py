"""The report of a study of information, put together."""

import numpy as np

from infodis_stats.report.document import Document
from infodis_stats.results.validity import held
from infodis_stats.studies.information.report.answer import answer
from infodis_stats.studies.information.report.figures import curves_figure, estimates_figure, variance_figure
from infodis_stats.studies.information.report.tables import cost_table, lead_table, numeric_tables, total_table
from infodis_stats.studies.view import Study

__all__ = ["information_document"]


def information_document(study: Study) -> Document:
    """Return the report of what `run_study` makes of a study of information."""
    summary, truth, curves = (study[name] for name in ("summary", "truth", "curves"))
    groups, largest = summary["group"].values.tolist(), int(summary["passes"][-1])
    costs = {group: cost_table(study, group) for group in groups}
    members = {group: (truth["group"] == group).values for group in groups}
    return Document(
        template="information",
        answer=tuple(answer(study)),
        headlines={f"{group}, {largest} passes": table for group, table in costs.items()},
        figures={"variance": variance_figure, "estimates": estimates_figure, "information": curves_figure},
        tables=numeric_tables(study),
        content={
            "groups": groups,
            "sizes": {group: int(member.sum()) for group, member in members.items()},
            "lengths": {group: int(truth["length"].values[member][0]) for group, member in members.items()},
            "costs": costs,
            "means": {group: float(truth["truth"].values[member].mean()) for group, member in members.items()},
            "enumerated": bool(np.isfinite(summary["exact_variance"]).any()),
            "leads": lead_table(study),
            "totals": total_table(study),
            "largest_passes": largest,
            "reference": summary.attrs["reference"],
            "level": f"{100 * summary.attrs['ci_prob']:g}",
            "interval_replicates": summary.attrs["interval_replicates"],
            "replicates": study.draws.sizes["replicate"],
            "sequences": curves.attrs["sequences"],
            "curve_passes": curves.attrs["passes"],
            "cautions": {caution.key: caution.sentence for caution in held(summary["cautions"])},
        },
    )
