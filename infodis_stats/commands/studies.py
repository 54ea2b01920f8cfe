"""The commands for studies: run a study, show its progress, and rewrite its report."""

import argparse
import math

import pandas as pd

from infodis_stats.commands.models import search_current_folder
from infodis_stats.execution import Ledger, progress_of
from infodis_stats.io.files import writable_folder
from infodis_stats.io.tables import printable, terminal_table
from infodis_stats.report import write_index
from infodis_stats.studies import document_of, kept_study, rewrite_report, run_study, write_document

__all__ = ["index", "report", "status", "study"]

LEDGER = "ledger"


def study(options: argparse.Namespace) -> None:
    """Run a study file unless its folder keeps it, write its report and print the main table."""
    writable_folder(options.out)  # fail before hours of work, not after
    if options.scheduler is not None:
        _quieten_dask()
    search_current_folder(options)
    loading = {
        "device": options.device,
        "trust_remote_code": options.trust_remote_code,
        "allow_import": options.allow_import,
    }
    tree, reported = (None, False) if options.again else kept_study(options.file, options.out, **loading)
    if tree is None and reported:
        print(f"{options.out} is up to date: same study, models and code; nothing to run; --again runs it")
        return
    if tree is None:
        tree = run_study(
            options.file,
            ledger=options.out / LEDGER,
            workers=options.workers,
            scheduler=options.scheduler,
            batch_size=options.batch_size,
            show_progress=True,
            **loading,
        )
    document = document_of(tree)
    with Ledger(options.out / LEDGER).locked():  # so that a second run does not write the same files
        page = write_document(document, tree, options.out)
    for title, table in document.headlines.items():
        print(f"\n{title}\n")
        print(terminal_table(table))
    print()
    for sentence in document.answer:
        print(sentence)
    print(f"\nThe report is {page}")


def _quieten_dask() -> None:
    """Silence the logs of Dask, because this command reports errors itself; the user's own configuration wins."""
    try:
        import dask  # noqa: PLC0415  optional dependency
    except ImportError:  # run_study reports it
        return
    names = ("distributed", "distributed.client", "tornado.application")
    dask.config.update_defaults({"distributed": {"logging": dict.fromkeys(names, "critical")}})


def status(options: argparse.Namespace) -> None:
    """Print the progress of a study and the estimated remaining time."""
    progress = progress_of(options.folder / LEDGER)
    done, blocks, passes_done, passes = progress.totals
    facts = {name: printable(value) if isinstance(value, str) else value for name, value in progress.facts.items()}
    print(f"{facts['title']} ({facts['study']})\n")
    columns = ["section", "blocks done", "blocks", "passes done", "passes"]
    rows = [*(progress.sections.items()), ("all", (done, blocks, passes_done, passes))]
    table = pd.DataFrame([(name, *(f"{count:,}" for count in counts)) for name, counts in rows], columns=columns)
    print(terminal_table(table, ["left", *["right"] * 4]))
    print()
    left = blocks - done
    if progress.running and not left:
        print("All blocks are complete; a run is writing the summary and the report.")
    elif progress.running:
        workers = facts["workers"]
        running = f", {min(workers, left)} running" if isinstance(workers, int) else f", some running at {workers}"
        print(f"{done} of {blocks} blocks are complete{running}; {_duration(progress.seconds_left)}.")
        print(f"A run is active on {facts['host']}.")
    elif progress.running is None:
        print(f"{done} of {blocks} blocks are complete. The folder is read-only, so it is unknown if a run is active.")
    elif left:
        print(f"{done} of {blocks} blocks are complete. No run is active; to continue, run the same command again.")
    else:
        print("All blocks are complete.")


def _duration(seconds: float) -> str:
    if math.isnan(seconds):
        return "remaining time not yet known"
    if seconds < 120:
        return f"about {seconds:.0f} seconds remaining"
    if seconds < 7200:
        return f"about {seconds / 60:.0f} minutes remaining"
    return f"about {seconds / 3600:.1f} hours remaining"


def report(options: argparse.Namespace) -> None:
    """Rewrite the report of a stored study."""
    print(f"The report is {rewrite_report(options.study, options.out)}")


def index(options: argparse.Namespace) -> None:
    """Write a list of the reports in a folder."""
    print(f"The list is {write_index(options.folder)}")
