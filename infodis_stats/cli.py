"""The command line: arguments in, an exit status out. Errors are one sentence and exit 2."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["main"]

MODEL = "'austen', a .safetensors file of train, hf:FOLDER_OR_ID, or a TOML file with a [law] table, such as a study"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except KeyboardInterrupt:
        print("infodis-stats: interrupted", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace) -> int:
    # Only now: torch, xarray and statsmodels take seconds, and --help should not.
    from estimators import InfodisError
    from infodis_stats import commands

    try:
        getattr(commands, options.command)(options)
    except InfodisError as error:
        print(f"infodis-stats: {error}", file=sys.stderr)
        return 2
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

    study = add("study", "run a study file and write its report; after an interruption, go on")
    study.add_argument("file", type=Path, help="study file (TOML)")
    study.add_argument("--out", type=Path, required=True, help="folder for study.nc, report.html, report.md, tables/")
    study.add_argument("--workers", type=int, default=1, help="processes that share the work (default 1)")
    study.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a running Dask cluster, such as tcp://node1:8786, or its scheduler file (.json)",
    )
    study.add_argument(
        "--batch-size", type=int, help="rows in a call of the model (default: 1024 of a law, else by memory)"
    )
    study.add_argument("--device", default="cpu", help="torch device (default cpu)")

    status = add("status", "say how far a study is")
    status.add_argument("folder", type=Path, help="what was given to study as --out")

    nll = add("nll", "estimate negative log-likelihoods with intervals")
    nll.add_argument("model", help=MODEL)
    nll.add_argument("file", help="text with a sequence a line, .jsonl with prompts and responses, .fasta, or -")
    nll.add_argument("--overlap", type=int, help="score longer texts in windows that are given so many tokens each")
    ratio = add("ratio", "estimate log-likelihood ratios, first over second, with intervals")
    ratio.add_argument("model", help=MODEL)
    ratio.add_argument(
        "first",
        help=".jsonl with a prompt, a first and a second text a line; or the first sequences, a line each, or -",
    )
    ratio.add_argument("second", nargs="?", help="file with as many second sequences")
    ratio.add_argument("--decoupled", action="store_true", help="independent masks on the two sides")
    for one in (nll, ratio):
        one.add_argument("--precision", help="half-width to go on to: nats such as 0.05, or a share such as 5%%")
        one.add_argument("--interval", default="auto", help="how errors are told; see 'intervals' (default: auto)")
        one.add_argument("--simultaneous", action="store_true", help="intervals that all cover at once")
        one.add_argument("--out", type=Path, help="write a row a sequence to this .csv file, or replicates to this .nc")
        one.add_argument("--diagnosis", type=Path, metavar="FOLDER", help="write verdicts and their pictures, a page")
    scan = add("scan", "score every single substitution of sequences against the original, with intervals")
    scan.add_argument("model", help=MODEL)
    scan.add_argument("file", help="text with a sequence a line, .fasta, or - for standard input")
    scan.add_argument("--out", type=Path, required=True, help="folder for scan.html, scan.md, scan.csv, scan.nc")
    scan.add_argument("--positions", help="where to substitute, counted from 1, such as 10-20,25 (default: everywhere)")
    scan.add_argument("--symbols", help="what to substitute, such as ACGT (default: the alphabet, or the residues)")
    rank = add("rank", "choose the likeliest answer of each question, sampling no longer than that needs")
    _add_question(rank)
    for one in (nll, ratio, rank):
        one.add_argument("--most-passes", type=int, default=4096, help="budget of a sequence or answer (default 4096)")
    for one in (nll, ratio, scan):
        _add_interval(one)
    for one in (nll, ratio, scan, rank):
        _add_sampling(one)
        _add_model(one)

    _add_orders(add("consistency", "test whether a model's conditionals come from one law, by orders or swaps"))

    train = add("train", "train a small masked denoiser on text, or on an exact law")
    _add_training(train)

    report = add("report", "write the report of a stored study anew")
    report.add_argument("study", type=Path, help="study.nc, or the folder that holds it")
    report.add_argument("--out", type=Path, required=True, help="folder for the report")

    for name, words in (
        ("estimators", "list the estimators"),
        ("intervals", "list the kinds of intervals"),
        ("doctor", "say what is installed and check one number end to end"),
    ):
        add(name, words).add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_training(one: argparse.ArgumentParser) -> None:
    one.add_argument("corpus", nargs="+", type=Path, help="text files, or one TOML file with a [law] table")
    one.add_argument("--out", type=Path, required=True, help="the model, a .safetensors file")
    one.add_argument("--held-out", type=Path, help="text file to test on (default: the last twentieth)")
    one.add_argument("--length", type=int, default=128, help="longest sequence (default 128)")
    one.add_argument("--layers", type=int, default=4, help="default 4")
    one.add_argument("--width", type=int, default=128, help="default 128")
    one.add_argument("--heads", type=int, default=4, help="default 4")
    one.add_argument("--steps", type=int, default=4500, help="optimiser steps (default 4500)")
    one.add_argument("--batch", type=int, default=32, help="sequences a step (default 32)")
    one.add_argument("--rate", type=float, default=2e-3, help="peak learning rate (default 0.002)")
    one.add_argument("--seed", type=int, default=0, help="default 0")
    one.add_argument("--device", default="cpu", help="torch device (default cpu)")


def _add_question(one: argparse.ArgumentParser) -> None:
    one.add_argument("model", help=MODEL)
    one.add_argument("file", help=".jsonl with prompt and answers a line, and the number of the correct one if known")
    one.add_argument("--error", type=float, default=0.05, help="chance of a wrong decision (default 0.05)")
    one.add_argument("--per-token", action="store_true", help="compare means over tokens instead of sums")


def _add_interval(one: argparse.ArgumentParser) -> None:
    one.add_argument("--context", type=int, default=0, help="leading symbols that are given (default 0)")
    one.add_argument("--level", type=float, default=0.95, help="confidence level (default 0.95)")


def _add_sampling(one: argparse.ArgumentParser) -> None:
    group = one.add_argument_group("sampling")
    group.add_argument("--estimator", default="auto", help="default: %(default)s")
    group.add_argument("--passes", type=int, default=16, help="forward passes of a replicate (default 16)")
    group.add_argument("--replicates", type=int, default=8, help="independent replicates (default 8)")
    group.add_argument("--seed", type=int, default=0, help="default 0")
    group.add_argument("--json", action="store_true", help="print JSON")


def _add_orders(one: argparse.ArgumentParser) -> None:
    one.add_argument("model", help=MODEL)
    one.add_argument("file", help="text with a sequence a line, .jsonl with prompts and responses, .fasta, or -")
    group = one.add_argument_group("sampling")
    group.add_argument("--orders", type=int, default=32, help="random orders of a sequence (default 32)")
    group.add_argument("--swaps", type=int, help="instead of orders, so many swaps of two positions: 3 passes each")
    group.add_argument("--tolerance", type=float, help="nats by which rounding moves a conditional (default 0.0001)")
    group.add_argument("--context", type=int, default=0, help="leading symbols that are given (default 0)")
    group.add_argument("--level", type=float, default=0.95, help="confidence level (default 0.95)")
    group.add_argument("--seed", type=int, default=0, help="default 0")
    group.add_argument("--json", action="store_true", help="print JSON")
    _add_model(one)


def _add_model(one: argparse.ArgumentParser) -> None:
    group = one.add_argument_group("networks")
    group.add_argument("--device", default="cpu", help="torch device (default cpu)")
    group.add_argument("--batch-size", type=int, help="rows in a call of the model (default: found from memory)")
    group.add_argument("--autocast", choices=["bfloat16", "float16"], help="matrix products in half precision")
    group.add_argument("--compile", action="store_true", help="compile the network's blocks")
    group.add_argument("--family", help="of a Hugging Face model, where its configuration does not tell")
    group.add_argument("--tokenizer", help="folder of a Hugging Face tokenizer that does not lie with the weights")
    group.add_argument("--trust-remote-code", action="store_true", help="run the code that lies with the weights")
