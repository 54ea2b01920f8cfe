"""The report of a study of blocks."""

from collections.abc import Iterator

from estimators import estimator
from infodis_stats.diagnostics.verdict import counted
from infodis_stats.report.document import Answer, Document, Figure, Heading, Note, Points, Section, Table
from infodis_stats.results.validity import held
from infodis_stats.studies.blocks.report.answer import answer
from infodis_stats.studies.blocks.report.figures import errors_figure, single_figure
from infodis_stats.studies.blocks.report.tables import (
    choice_table,
    error_table,
    exact_in_words,
    numeric_tables,
    ratio_table,
    single_table,
)
from infodis_stats.studies.view import Study

__all__ = ["blocks_document"]


def blocks_document(study: Study) -> Document:
    """Return the report of a study of blocks."""
    sizes = dict(
        zip(study.summary["subject"].values.tolist(), study.summary["block_size"].values.tolist(), strict=True)
    )
    models = ", ".join(f"{name} (block size {size})" for name, size in sizes.items())
    texts = " or ".join(
        counted(count, "text") for count in dict.fromkeys(study["single_summary"]["texts"].values.tolist())
    )
    return Document(
        title=study.attrs["title"],
        subtitle=f"{models}; {texts} of each",
        sections=[
            Answer(tuple(answer(study))),
            Note(
                "A block-diffusion model generates blocks of tokens from left to right, and masks tokens inside a "
                "block. One forward pass scores all blocks of a text, each under its own mask. A single draw is an "
                "estimate from one pass per text; published perplexities of such models are usually sums of single "
                "draws. The exact value runs all masks of each block; where a block has too many, a long run with its "
                "standard error is the reference value instead. Without blocks: masks are drawn over the whole text, "
                "as for a model that declares no blocks. The mean is the same, because a random order of the text is a "
                "random order of each block. Results are for exactly these texts."
            ),
            *_single(study),
            *_variances(study),
            *_untrusted(study),
        ],
        tables=numeric_tables(study),
        cell="A cell is an estimator on a subject; for variances, at one number of passes, with or without blocks.",
    )


def _single(study: Study) -> Iterator[Section]:
    draws = study["single"].sizes["draw"]
    yield Heading("Single draws against exact values")
    yield Figure(
        "single",
        "Errors of single draws",
        single_figure(study),
        f"A blue line is one text: 5 to 95 % of its {draws} single draws minus its exact value, with a dot at the "
        "median. The black bar is all texts together: each of its draws takes one draw of every text.",
    )
    for subject in study.summary["subject"].values.tolist():
        yield Heading(f"{subject}: {exact_in_words(study, subject)}", 3)
        yield Table(single_table(study, subject), headline=f"{subject}: single draws against exact values")
    yield Note(
        "Single draw minus exact value in bits per token, of one text (all texts pooled; SD: standard deviation of the "
        "draws of a text, root mean square over texts) and of the set, which is all texts together. Off: share of "
        "draws whose perplexity per token is off by more than 10 %. The last column is the range of perplexities that "
        "90 % of the single draws of the set give. Each block has a mask of its own; with a single pass, strata are "
        "spread over the blocks of a text, independent points are not. The estimators:"
    )
    yield Points([(name, estimator(name).summary) for name in study["single"]["estimator"].values.tolist()])


def _variances(study: Study) -> Iterator[Section]:
    replicates, level = study.draws.sizes["replicate"], study.summary.attrs["ci_prob"]
    compared = ", ".join(str(count) for count in dict.fromkeys(study.summary["compared"].values.tolist()))
    yield Heading("Variance with and without blocks")
    yield Figure(
        "errors",
        "Standard error against passes",
        errors_figure(study),
        f"Standard error of one replicate, root mean square over {compared} texts of each model with {replicates} "
        "replicates each. The broad line is auto, which is one of the other estimators or exhaustive; points that are "
        "exact are not shown.",
    )
    for subject in study.summary["subject"].values.tolist():
        yield Heading(f"{subject}: variance without blocks over variance with blocks", 3)
        yield Table(ratio_table(study, subject), headline=f"{subject}: times less variance with blocks")
    yield Note(
        f"One column per number of passes. Above 1: less variance with blocks. Geometric means over texts; "
        f"{100 * level:g} % intervals cover the noise of the replicates. exact: all replicates with blocks are equal, "
        "and those without are not; in brackets how many texts the mean therefore leaves out. The last column is the "
        "geometric mean over texts and passes, exact ones left out."
    )
    for subject in study.summary["subject"].values.tolist():
        yield Heading(f"{subject}: standard error, bits per token", 3)
        yield Table(error_table(study, subject), exact=0.0)
    choices = choice_table(study)
    if not choices.empty:
        yield Heading("What auto chose", 3)
        yield Table(choices)


def _untrusted(study: Study) -> Iterator[Section]:
    items = []
    for group in ("single_summary", "summary"):
        flags = study[group]["cautions"]
        for name in flags["estimator"].values.tolist():
            items += [
                (name, f"{caution.sentence}.")
                for caution in held(flags.sel(estimator=name))
                if caution.key in ("biased", "infinite-variance")
            ]
    if items:
        lead = "A caution is a reason not to trust an estimator, which holds by construction:"
        yield Points(list(dict.fromkeys(items)), lead, warning=True)
