"""The report of a study of likelihoods."""

from collections.abc import Iterator

from infodis_stats.diagnostics.verdict import counted
from infodis_stats.report.document import Answer, Document, Figure, Heading, Note, Section, Table
from infodis_stats.studies.likelihoods.report.answer import answer
from infodis_stats.studies.likelihoods.report.figures import numbers_figure
from infodis_stats.studies.likelihoods.report.tables import (
    bits_table,
    definition_table,
    numeric_tables,
    perplexity_table,
    published_table,
)
from infodis_stats.studies.likelihoods.report.thread import thread_sections
from infodis_stats.studies.view import Study

__all__ = ["likelihoods_document"]


def likelihoods_document(study: Study) -> Document:
    """Return the report of a study of likelihoods."""
    summary = study.summary
    counts = zip(*(summary[name].values.tolist() for name in ("subject", "texts", "tokens")), strict=True)
    return Document(
        title=study.attrs["title"],
        subtitle="; ".join(
            f"{name}: {counted(texts, 'text')}, {counted(int(tokens), 'token')}" for name, texts, tokens in counts
        ),
        sections=[
            Answer(tuple(answer(study))),
            *_overview(study),
            *_estimands(study),
            *_published(study),
            *thread_sections(study),
        ],
        tables=numeric_tables(study),
        cell="A cell is an estimator on a subject.",
    )


def _overview(study: Study) -> Iterator[Section]:
    yield Figure(
        "numbers",
        "Every number of the same texts",
        numbers_figure(study),
        "Above the line of each panel: the likelihoods of the model, by estimand. Below it: published estimators of "
        "the any-order value; the dot is their mean over many runs, and the bar is one standard deviation of the "
        "number that one run gives for all texts together. An arrow at the edge is a number that lies outside. The "
        "green band is the interval of an order-marginal value that is not exact.",
    )


def _estimands(study: Study) -> Iterator[Section]:
    level = f"{100 * study.summary.attrs['ci_prob']:g} %"
    yield Heading("Four likelihoods of one model")
    yield Note(
        "A masked diffusion model prices a token given any set of revealed tokens. An order in which the tokens are "
        "revealed turns these prices into a likelihood by the chain rule, and a trained model gives another one for "
        "every order. So “the” likelihood of a text depends on what is done about the order. The any-order value is "
        "what the ELBO of masked diffusion is (the integral over masking rates or mask sizes), so perplexities of "
        "masked diffusion models are of this kind. It is never below the order-marginal value. The orders of a "
        "block-diffusion model are orders of each block."
    )
    yield Table(definition_table(study))
    yield Heading("Bits per token", 3)
    yield Table(bits_table(study), headline="Bits per token, by estimand")
    yield Heading("Perplexity per token", 3)
    yield Table(perplexity_table(study))
    yield Note(
        "All texts together; in brackets the difference from the any-order value. Values are exact unless "
        f"two ends are given; these are {level} limits, of a long run for the any-order value, and of two bounds for "
        "the order-marginal one."
    )


def _published(study: Study) -> Iterator[Section]:
    replicates = study.draws.sizes["replicate"]
    yield Heading("Published estimators against the any-order value")
    for subject in study.summary["subject"].values.tolist():
        yield Heading(subject, 3)
        yield Table(published_table(study, subject), headline=f"{subject}: published estimators")
    yield Note(
        f"Each estimator was run {replicates} times on every text, as its repository does. Bias: mean minus any-order "
        "value of all texts, as a share of it, ± one standard error. SD: standard deviation of a published number, "
        "from the passes in the table, as a share of the any-order value; of one text (root mean square over texts), "
        "and of all texts together. A number may be compared with any-order values if its estimator is unbiased by "
        "construction, or if its bias is at most 2 % here; below 0.5 % nothing is said. Same code only: numbers of the "
        "same code at the same settings."
    )
