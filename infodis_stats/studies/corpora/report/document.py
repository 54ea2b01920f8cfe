"""The report of a comparison of corpora."""

from collections.abc import Iterator

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.report.document import Answer, Document, Figure, Heading, Note, Points, Section, Table
from infodis_stats.results.validity import held
from infodis_stats.studies.corpora.report.answer import answer
from infodis_stats.studies.corpora.report.figures import auroc_figure, maps_figure, scores_figure
from infodis_stats.studies.corpora.report.tables import auroc_table, corpus_table, numeric_tables
from infodis_stats.studies.view import Study

__all__ = ["corpora_document"]


def corpora_document(study: Study) -> Document:
    """Return the report of a comparison of corpora."""
    draws, estimator = study.draws, study.summary.attrs["estimator"]
    model = study.provenance["model"].rsplit(" ", 1)[0]  # without its digest
    measured = f"{estimator}, {draws.sizes['replicate']} replicates of each estimate"
    return Document(
        title=study.attrs["title"],
        subtitle=f"{model}; {counted(draws.sizes['text'], 'text')}; {measured}",
        sections=[
            Answer(tuple(answer(study))),
            *_costs(study),
            *_discrimination(study),
            *(_maps(study) if "maps" in study else []),
        ],
        tables=numeric_tables(study),
    )


def _level(study: Study) -> str:
    return f"{100 * study.summary.attrs['ci_prob']:g} %"


def _costs(study: Study) -> Iterator[Section]:
    passes, replicates = int(study.draws["passes"].values[-1]), study.draws.sizes["replicate"]
    yield Heading("Cost of a token")
    yield Figure(
        "scores",
        "Cost of a token",
        scores_figure(study),
        f"One dot per text, its likelihood estimated with {passes} passes × {replicates} replicates. A diamond is the "
        f"mean of a corpus with its {_level(study)} interval over texts.",
    )
    yield Table(corpus_table(study), headline="Cost of a token")
    yield Note(
        f"Bits per token, {_level(study)} intervals over texts: Student's t, and wider where texts are skewed; "
        "differences with Welch's interval. The noise of the masks is part of the spread between texts; the last "
        "column gives its share of the variance."
    )
    cautions = held(study.summary["cautions"])
    if cautions:
        items = [(caution.key, f"{caution.sentence}.") for caution in cautions]
        yield Points(items, "A caution holds by construction:", warning=True)


def _discrimination(study: Study) -> Iterator[Section]:
    yield Heading("Discrimination between corpora")
    yield Figure(
        "auroc",
        "AUROC against passes",
        auroc_figure(study),
        f"Probability that a text costs more per token than one of {study.summary.attrs['reference']} (0.5: no "
        f"discrimination), each measured by one replicate; {_level(study)} intervals over texts "
        "(Newcombe).",
    )
    yield Table(auroc_table(study), headline="AUROC by passes")
    yield Note("One column per number of passes.")


def _maps(study: Study) -> Iterator[Section]:
    yield Heading("Cost of each token")
    yield Figure(
        "maps",
        "Loss maps",
        maps_figure(study),
        "Colour and bar: what the token contributes to the negative log-likelihood, in bits, on one scale for all "
        f"texts; the whisker is its {_level(study)} interval. Grey: given. · is a space, ⏎ the end of a line.",
    )
