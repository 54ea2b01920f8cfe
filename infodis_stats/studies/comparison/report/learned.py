"""A network's likelihoods against those of the law from which its sequences were drawn."""

from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd

from infodis_stats import analysis
from infodis_stats.plots.hover import add_hover
from infodis_stats.plots.items import subsample, subsample_note
from infodis_stats.plots.numbers import band, significant
from infodis_stats.plots.panels import panels
from infodis_stats.plots.style import STYLE
from infodis_stats.report.svg import to_svg
from infodis_stats.studies.view import Study

__all__ = ["Gap", "law_gaps", "learned_figure", "learned_table"]


class Gap(NamedTuple):
    """Network minus law in nats, averaged over a group, with its interval over items."""

    mean: float
    lower: float
    upper: float
    items: int
    correlation: float


def law_gaps(study: Study) -> dict[str, Gap]:
    """Return the gap of each group; nothing where the study has no network or no law."""
    truth, level = study.truth, study.summary.attrs["ci_prob"]
    if "law_value" not in truth:
        return {}
    gaps = {}
    for group in study.summary["group"].values.tolist():
        member = (truth["group"] == group).values
        network, law = truth["truth"].values[member], truth["law_value"].values[member]
        if len(network) < 2 or np.isnan(law).any():
            continue
        interval = analysis.student_t(network - law, level)
        correlation = float(np.corrcoef(network, law)[0, 1])
        mean = float((network - law).mean())
        gaps[group] = Gap(mean, float(interval.lower), float(interval.upper), len(network), correlation)
    return gaps


def learned_table(study: Study) -> pd.DataFrame:
    """Return the mean values of law and network, one row per group."""
    truth = study.truth
    rows = []
    for group, gap in law_gaps(study).items():
        member = (truth["group"] == group).values
        rows.append(
            {
                "group": group,
                "law (nats)": significant(float(truth["law_value"].values[member].mean())),
                "network (nats)": significant(float(truth["truth"].values[member].mean())),
                "network minus law": band(*gap[:3]),
                "correlation": significant(gap.correlation),
            }
        )
    return pd.DataFrame(rows)


def learned_figure(study: Study) -> str:
    """Draw the network's value of each item minus the law's, against the law's; one panel per group, of at most 500."""
    truth = study.truth
    groups = list(law_gaps(study))
    with mpl.rc_context(STYLE):
        figure, axes = panels(len(groups), 3.0)
        for axis, group in zip(axes, groups, strict=True):
            member = np.flatnonzero(truth["group"] == group)
            drawn = member[subsample(len(member))]
            law, network, error = (truth[name].values[drawn] for name in ("law_value", "truth", "truth_se"))
            axis.axhline(0.0, color="#999999", linewidth=0.8, zorder=1)
            axis.errorbar(law, network - law, 2 * error, fmt="o", color="#7a4fa3", markersize=3, elinewidth=0.9)
            axis.set_title(f"{group}{subsample_note(len(member))}", parse_math=False)
            items = truth["item"].values[drawn].tolist()
            texts = [
                f"{item}: law {significant(value, 4)}, network {significant(value + gap, 4)} nats, "
                f"difference {significant(gap)}"
                for item, value, gap in zip(items, law.tolist(), (network - law).tolist(), strict=True)
            ]
            add_hover(axis, law, network - law, texts)
        figure.supxlabel("exact value under the law (nats)")
        figure.supylabel("network minus law (nats)")
        return to_svg(figure, "learned")
