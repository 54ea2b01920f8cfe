"""The command line: arguments in, an exit status out. Errors are one sentence and exit 2."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    # Only now: torch, xarray and statsmodels take seconds, and --help should not.
    from estimators import InfodisError
    from infodis_stats import commands

    try:
        getattr(commands, options.command)(options)
    except InfodisError as error:
        print(f"infodis-stats: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("infodis-stats: interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="infodis-stats",
        description="Likelihoods of masked diffusion models, with error bars one can trust. Values are in nats.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, words: str) -> argparse.ArgumentParser:
        one = commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        one.set_defaults(command=name)
        return one

    study = add("study", "run a study file and write its report")
    study.add_argument("file", type=Path, help="study file (TOML)")
    study.add_argument("--out", type=Path, required=True, help="folder for study.nc, report.html, report.md, tables/")
    study.add_argument("--batch-size", type=int, default=1024, help="rows in a call of the model (default 1024)")
    study.add_argument("--device", default="cpu", help="torch device (default cpu)")

    nll = add("nll", "estimate negative log-likelihoods with intervals")
    nll.add_argument("law", type=Path, help="TOML file with a [law] table; a study file serves")
    nll.add_argument("sequences", help="text file with a sequence a line, or - for standard input")
    ratio = add("ratio", "estimate log-likelihood ratios, first over second, with intervals")
    ratio.add_argument("law", type=Path, help="TOML file with a [law] table; a study file serves")
    ratio.add_argument("first", help="text file with a sequence a line, or - for standard input")
    ratio.add_argument("second", help="text file with as many lines")
    ratio.add_argument("--decoupled", action="store_true", help="independent masks on the two sides")
    for one in (nll, ratio):
        one.add_argument("--estimator", default="uniform-count+stratified", help="default: %(default)s")
        one.add_argument("--passes", type=int, default=16, help="forward passes of a replicate (default 16)")
        one.add_argument("--replicates", type=int, default=8, help="independent replicates (default 8)")
        one.add_argument("--context", type=int, default=0, help="leading symbols that are given (default 0)")
        one.add_argument("--level", type=float, default=0.95, help="confidence level (default 0.95)")
        one.add_argument("--seed", type=int, default=0, help="default 0")
        one.add_argument("--json", action="store_true", help="print JSON")

    report = add("report", "write the report of a stored study anew")
    report.add_argument("study", type=Path, help="study.nc, or the folder that holds it")
    report.add_argument("--out", type=Path, required=True, help="folder for the report")

    estimators = add("estimators", "list the estimators")
    estimators.add_argument("--json", action="store_true", help="print JSON")
    doctor = add("doctor", "say what is installed and check one number end to end")
    doctor.add_argument("--json", action="store_true", help="print JSON")
    return parser
