"""The report of a study of the frontier, put together."""

from functools import partial

import pandas as pd

from infodis_stats.report.document import Document
from infodis_stats.results.validity import held
from infodis_stats.studies.frontier.report.answer import answer
from infodis_stats.studies.frontier.report.cells import autos, row_names
from infodis_stats.studies.frontier.report.figures import frontier_figure
from infodis_stats.studies.frontier.report.tables import gain_table, mean_table, numeric_tables, regret_table
from infodis_stats.studies.view import Study

__all__ = ["frontier_document"]


def frontier_document(study: Study) -> Document:
    """Return the report of what `run_study` makes of a study of the frontier."""
    summary = study.summary
    rivals = summary["rival"].values.tolist()
    pictures = {f"frontier-{number}": rival for number, rival in enumerate(rivals, 1)}
    means = {rival: mean_table(study, rival) for rival in rivals}
    cautions = {name: held(summary["cautions"].sel(estimator=name)) for name in summary["estimator"].values.tolist()}
    owners = summary["subject"].values.tolist()
    return Document(
        template="frontier",
        answer=tuple(answer(study)),
        headlines={f"Times less variance than {rival}, on average": table for rival, table in means.items()},
        figures={name: partial(frontier_figure, rival=rival, name=name) for name, rival in pictures.items()},
        tables=numeric_tables(study),
        content={
            "pictures": pictures,
            "means": means,
            "regrets": {name: regret_table(study, name) for name in autos(summary)},
            "gains": {subject: _gain_tables(study, subject) for subject in dict.fromkeys(owners)},
            "groups": len(owners),
            "reference": rivals[0],
            "ratio": study.attrs["quantity"] == "log_ratio",
            "items": study.draws.sizes["item"],
            "replicates": study.draws.sizes["replicate"],
            "level": f"{100 * summary.attrs['ci_prob']:g}",
            "untrusted": {name: [caution.sentence for caution in some] for name, some in cautions.items() if some},
        },
    )


def _gain_tables(study: Study, subject: str) -> dict[str, pd.DataFrame]:
    """Return a table for each group of a subject, by its row in the picture."""
    summary = study.summary
    part = summary.isel(group=summary["subject"].values == subject)
    groups = part["group"].values.tolist()
    return {row: gain_table(study, group) for row, group in zip(row_names(part), groups, strict=True)}
