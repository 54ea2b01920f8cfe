"""The report of a study of the frontier, put together."""

from functools import partial

import pandas as pd
import xarray as xr

from infodis_stats.report.document import Document
from infodis_stats.results.validity import CAUTIONS
from infodis_stats.studies.frontier.answer import answer
from infodis_stats.studies.frontier.cells import autos, row_names
from infodis_stats.studies.frontier.figures import frontier_figure
from infodis_stats.studies.frontier.tables import gain_table, mean_table, numeric_tables, regret_table

__all__ = ["frontier_document"]


def frontier_document(tree: xr.DataTree) -> Document:
    """Return the report of what `run_study` makes of a study of the frontier."""
    summary = tree["summary"].to_dataset()
    rivals = summary["rival"].values.tolist()
    pictures = {f"frontier-{number}": rival for number, rival in enumerate(rivals, 1)}
    means = {rival: mean_table(tree, rival) for rival in rivals}
    cautions = dict(zip(summary["estimator"].values.tolist(), summary["cautions"].values.tolist(), strict=True))
    owners = summary["subject"].values.tolist()
    return Document(
        template="frontier",
        answer=tuple(answer(tree)),
        headlines={f"Times less variance than {rival}, on average": table for rival, table in means.items()},
        figures={name: partial(frontier_figure, rival=rival, name=name) for name, rival in pictures.items()},
        tables=numeric_tables(tree),
        content={
            "pictures": pictures,
            "means": means,
            "regrets": {name: regret_table(tree, name) for name in autos(summary)},
            "gains": {subject: _gain_tables(tree, subject) for subject in dict.fromkeys(owners)},
            "groups": len(owners),
            "reference": rivals[0],
            "ratio": tree.attrs["quantity"] == "log_ratio",
            "items": tree["draws"].sizes["item"],
            "replicates": tree["draws"].sizes["replicate"],
            "level": f"{100 * summary.attrs['ci_prob']:g}",
            "untrusted": {
                name: [CAUTIONS[key].sentence for key in text.split()] for name, text in cautions.items() if text
            },
        },
    )


def _gain_tables(tree: xr.DataTree, subject: str) -> dict[str, pd.DataFrame]:
    """Return a table for each group of a subject, by its row in the picture."""
    summary = tree["summary"].to_dataset()
    part = summary.isel(group=summary["subject"].values == subject)
    groups = part["group"].values.tolist()
    return {row: gain_table(tree, group) for row, group in zip(row_names(part), groups, strict=True)}
