"""The command that brackets likelihoods of random-order sampling."""

import argparse

from infodis_stats import report
from infodis_stats.commands.likelihoods import averages_of, check_out, show
from infodis_stats.commands.models import chat_attributes, read_masked_model
from infodis_stats.commands.reading import naming, reading, scored_tokens
from infodis_stats.estimates.bracket import bracket_nll
from infodis_stats.io.records import read_records
from infodis_stats.laws import Law
from infodis_stats.progress import progress_bar

__all__ = ["bracket"]


def bracket(options: argparse.Namespace) -> None:
    """Bracket the negative log-likelihoods of the records in a file under random-order sampling."""
    check_out(options.out)
    model = read_masked_model(options.model, options)
    texts = read_records(options.file, **reading(options))
    tokens, given = scored_tokens(model, texts, options)
    names = [record.name for record in texts]
    streams = None if isinstance(model, Law) else names  # the random numbers of a law's sequence depend on its symbols
    arguments = {name: getattr(options, name) for name in ("orders", "seed", "level", "batch_size", "device")}
    with naming(texts), progress_bar() as bar:
        result = bracket_nll(model, tokens, context=given, names=streams, progress=bar.update, **arguments)
    result = result.assign_coords(sequence=names).assign_attrs(chat_attributes(options, model))
    if not isinstance(model, Law):
        result["bytes"] = "sequence", [len(record.response.encode()) for record in texts]
    table = report.summary(result)
    show(result, table.to_dataframe(), lambda: "\n".join([str(table), *averages_of(result)]), options)
