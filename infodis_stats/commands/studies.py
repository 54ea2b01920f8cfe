"""The commands of studies: run one, say how far it is, and write its report anew."""

import argparse
import math

import pandas as pd

from infodis_stats.execution import Ledger, progress_of
from infodis_stats.io.files import writable_folder
from infodis_stats.studies import document_of, rewrite_report, run_study, write_document

__all__ = ["report", "status", "study"]

LEDGER = "ledger"


def study(options: argparse.Namespace) -> None:
    """Run a study file, write its report and print the main table."""
    writable_folder(options.out)  # before hours of work, not after
    if options.scheduler is not None:
        _quieten_dask()
    tree = run_study(
        options.file,
        ledger=options.out / LEDGER,
        workers=options.workers,
        scheduler=options.scheduler,
        batch_size=options.batch_size,
        device=options.device,
        show_progress=True,
    )
    document = document_of(tree)
    with Ledger(options.out / LEDGER).held():  # the same command at the same time would write the same files
        page = write_document(document, tree, options.out)
    for title, table in document.headlines.items():
        print(f"\n{title}\n")
        print(table.to_markdown(index=False, tablefmt="simple", disable_numparse=True))
    print()
    for sentence in document.answer:
        print(sentence)
    print(f"\nThe report is {page}")


def _quieten_dask() -> None:
    """Leave what goes wrong to the sentence of this command, unless the user configured what Dask logs."""
    try:
        import dask  # noqa: PLC0415  an extra of its own
    except ImportError:  # which has a sentence of its own
        return
    names = ("distributed", "distributed.client", "tornado.application")
    dask.config.update_defaults({"distributed": {"logging": dict.fromkeys(names, "critical")}})


def status(options: argparse.Namespace) -> None:
    """Say what of a study is done, what is left, and how long that takes."""
    found = progress_of(options.folder / LEDGER)
    done, blocks, passes_done, passes = found.totals
    facts = {name: _shown(value) for name, value in found.facts.items()}
    print(f"{facts['title']} ({facts['study']})\n")
    rows = [(_shown(name), *counts) for name, counts in found.sections.items()]
    columns = ["section", "blocks done", "of", "passes done", "of "]
    table = pd.DataFrame([*rows, ("all", done, blocks, passes_done, passes)], columns=columns)
    print(table.to_markdown(index=False, tablefmt="simple", intfmt=","))
    print()
    left = blocks - done
    if found.running and not left:
        print("All blocks are done; a run is at work on the summary and the report.")
    elif found.running:
        workers = facts["workers"]
        running = f", {min(workers, left)} running" if isinstance(workers, int) else f", some running at {workers}"
        print(f"{done} of {blocks} blocks are done{running}; {_duration(found.seconds_left)} to go.")
        print(f"A run is at work on {facts['host']}.")
    elif found.running is None:
        print(f"{done} of {blocks} blocks are done. Whether a run is at work is not known: the folder is read only.")
    elif left:
        print(f"{done} of {blocks} blocks are done. No run is at work: the same command goes on from here.")
    else:
        print("All blocks are done.")


def _shown(value: str | int) -> str | int:
    """Return what a file says as a terminal does not obey it."""
    return value if isinstance(value, int) or value.isprintable() else ascii(value)


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "the time is not known yet"
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.1f} hours"


def report(options: argparse.Namespace) -> None:
    """Write the report of a stored study anew."""
    print(rewrite_report(options.study, options.out))
