"""The commands of studies: run one, and write its report anew."""

import argparse

from infodis_stats.files import writable_folder
from infodis_stats.report import document, rewrite_report, write_report
from infodis_stats.studies import run_study

__all__ = ["report", "study"]


def study(options: argparse.Namespace) -> None:
    """Run a study file, write its report and print the main table."""
    writable_folder(options.out)  # before hours of work, not after
    tree = run_study(options.file, batch_size=options.batch_size, device=options.device, show_progress=True)
    page = write_report(tree, options.out)
    found = document(tree)
    for title, table in found.headlines.items():
        print(f"\n{title}\n")
        print(table.to_markdown(index=False, tablefmt="simple", disable_numparse=True))
    print()
    for sentence in found.answer:
        print(sentence)
    print(f"\nThe report is {page}")


def report(options: argparse.Namespace) -> None:
    """Write the report of a stored study anew."""
    print(rewrite_report(options.study, options.out))
