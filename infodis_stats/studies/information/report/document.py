"""The report of a study of information."""

from collections.abc import Iterator

import numpy as np

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.plots.variance import plot_variance
from infodis_stats.report.document import MARKS, Answer, Document, Figure, Heading, Note, Points, Section, Table
from infodis_stats.report.svg import svg_of
from infodis_stats.results.validity import held
from infodis_stats.studies.information.report.answer import answer
from infodis_stats.studies.information.report.figures import curves_figure, errors_figure
from infodis_stats.studies.information.report.tables import cost_table, lead_table, numeric_tables, total_table
from infodis_stats.studies.view import Study

__all__ = ["information_document"]


def information_document(study: Study) -> Document:
    """Return the report of a study of information."""
    owners = study.truth["group"].values.tolist()
    sizes = [f"{group}: {counted(owners.count(group), 'sequence')}" for group in study.summary["group"].values.tolist()]
    return Document(
        title=study.attrs["title"],
        subtitle=f"{'; '.join(sizes)}; {study.draws.sizes['replicate']} replicates of each estimate",
        sections=[
            Answer(tuple(answer(study))),
            *_costs(study),
            *_families(study),
            *_estimates(study),
            *_curves(study),
        ],
        tables=numeric_tables(study),
        cell="A cell is an estimator on a group, at one number of passes.",
    )


def _level(study: Study) -> str:
    return f"{100 * study.summary.attrs['ci_prob']:g} %"


def _costs(study: Study) -> Iterator[Section]:
    summary, truth = study.summary, study.truth
    passes, reference = int(summary["passes"][-1]), summary.attrs["reference"]
    yield Heading("Cost of a likelihood")
    yield Note(
        f"At {counted(passes, 'pass')}, over a fixed set of sequences. In brackets the z-score of the bias; starred "
        "where it is significant, family-wise at 5 % over the whole study (Holm). Gain: how many times less variance "
        f"than {reference}, with a {_level(study)} bootstrap-t interval; {MARKS} Coverage: of nominal {_level(study)} "
        f"Student-t intervals from {summary.attrs['interval_replicates']} replicates, over all passes. Passes run, per "
        "replicate: each input of a sequence is run once over all replicates, and not at all where nothing can be "
        "lost; the passes of a pilot are spread over them."
    )
    for group in summary["group"].values.tolist():
        member = (truth["group"] == group).values
        mean, length = float(truth["truth"].values[member].mean()), int(truth["length"].values[member][0])
        yield Heading(f"{group}: {counted(length, 'position')}, true mean {mean:.3f} nats", 3)
        yield Table(cost_table(study, group), headline=f"{group}, {counted(passes, 'pass')}")
    cautions = held(summary["cautions"])
    if cautions:
        lead = "Estimators with a caution have a †. A caution holds by construction:"
        yield Points([(caution.key, f"{caution.sentence}.") for caution in cautions], lead, warning=True)


def _families(study: Study) -> Iterator[Section]:
    caption = (
        "Variance of one replicate, averaged over the group: masks in blue, score entropies in warm colours."
        + " Broad pale lines: the exact variance of independent passes, by enumeration of all masks."
        * bool(np.isfinite(study.summary["exact_variance"]).any())
    )
    yield Heading("Score entropies against masks")
    yield Figure("variance", "Variance against passes", svg_of("variance", plot_variance, study.tree), caption)
    yield Table(lead_table(study))
    yield Note(
        "How many times less variance the best score entropy has than the best masked estimator of the study, one "
        "column per number of passes: above 1 it wins. The best are chosen on one half of the replicates and compared "
        "on the other, without those that are biased or of infinite variance by construction; tables/leads.csv names "
        "them."
    )


def _estimates(study: Study) -> Iterator[Section]:
    yield Heading("Estimates minus the truth")
    yield Figure(
        "estimates",
        "Estimates minus the exact values",
        errors_figure(study),
        "The sequences under one estimator of each family, the one whose least gain over the groups is largest: mean "
        f"of {study.summary.attrs['interval_replicates']} replicates with its nominal {_level(study)} Student-t "
        "interval, minus the exact value. Red: the interval does not cover 0. All panels have one scale, which shows "
        "95 % of the intervals whole.",
    )


def _curves(study: Study) -> Iterator[Section]:
    curves = study["curves"]
    yield Heading("Information against noise")
    yield Figure(
        "information",
        "Information against noise",
        curves_figure(study),
        "Mutual information of the clean sequence and the noised one, from the score entropies of "
        f"{curves.attrs['sequences']} sequences of the law with {curves.attrs['passes']} passes each: bands that hold "
        f"at all noise levels at once ({_level(study)}), and dotted lines where all strings can be enumerated. Without "
        "noise it is the entropy of the law (dashed), whatever the noise.",
    )
    yield Table(total_table(study))
    yield Note(
        "The total is the information without noise, ± one standard error over sequences; p-values are Holm-adjusted "
        "over all totals."
    )
