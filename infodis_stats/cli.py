"""The command line: parses arguments and returns an exit status. Errors are one sentence, with status 2."""

import argparse
import gc
import os
import re
import select
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

__all__ = ["command_line", "main"]

Add = Callable[[str, str], argparse.ArgumentParser]
"""Adds a command: its name and what it does."""

MODEL = (
    "a bundled model ('austen', 'austen-bpe', 'austen-block4', 'austen-block16', 'austen-uniform' or 'molecules'), a "
    ".safetensors file from 'train', hf:FOLDER_OR_ID, a TOML file (such as a study) with a [law] table, or "
    "package.module:object, a model of your own (with --allow-import)"
)
CLOSED_PIPE = 141  # as a shell reports a command that SIGPIPE ended
KINDS = "comparison, blocks, calibration, corpora, frontier, information or likelihoods"
SEQUENCES = (
    "texts: one per line, FASTA, or JSON objects with a response and optionally a prompt, one per line or in an array; "
    "- for standard input"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    try:
        try:
            return _run(command_line().parse_args(arguments), ours=arguments is None)
        except KeyboardInterrupt:
            print("infodis-stats: interrupted", file=sys.stderr)
            return 130
        finally:
            sys.stdout.flush()  # a closed pipe fails here, not at exit
    except BrokenPipeError:
        if not _silence_closed():
            raise
        return CLOSED_PIPE


def _silence_closed() -> bool:
    """Return whether the reader of an output stream has gone; what is left for it is dropped, at exit too."""
    closed = [stream for stream in (sys.stdout, sys.stderr) if _reader_has_gone(stream.fileno())]
    for stream in closed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return bool(closed)


def _reader_has_gone(descriptor: int) -> bool:
    # Another pipe, such as one to a worker, can break too: that is an error to report.
    poll = select.poll()
    poll.register(descriptor, 0)
    return bool(poll.poll(0))


class _Version(argparse.Action):
    """Prints the version, which takes longer to read than --help takes."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        """Print the version and exit."""
        from infodis_stats import __version__

        print(f"infodis-stats {__version__}")
        parser.exit()


def _run(options: argparse.Namespace, *, ours: bool) -> int:
    """Run a command, in a process of ours or in that of somebody else, such as a notebook."""
    if ours:
        gc.disable()  # imports leave no garbage, and the search for it, here and at exit, takes as long as they do
    # Imported here because torch takes a second, which --help does not need.
    from estimators import InfodisError
    from infodis_stats import commands

    try:
        command = getattr(commands, options.command)  # imports what this command needs
        if ours:
            gc.freeze()
            gc.enable()
        command(options)
    except InfodisError as error:
        print(f"infodis-stats: {commands.with_options(str(error), vars(options))}", file=sys.stderr)
        return 2
    return 0


def command_line() -> argparse.ArgumentParser:
    """Return the parser of the command line, with all its commands."""
    parser = argparse.ArgumentParser(
        prog="infodis-stats",
        description="Likelihoods of masked and discrete diffusion models with confidence intervals, in nats.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, summary: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        command.set_defaults(command=name)
        return command

    _add_studies(add)
    _add_scoring(add)
    evaluate = add("eval", "run tasks of lm-evaluation-harness, with the noise of the masks beside its own numbers")
    evaluate.set_defaults(command="evaluate")
    _add_evaluation(evaluate)
    _add_models(add)
    for name, summary in (
        ("estimators", "list the estimators"),
        ("intervals", "list the kinds of confidence intervals"),
        ("doctor", "print installed versions and check an estimate against its exact value"),
    ):
        add(name, summary).add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_studies(add: Add) -> None:
    _add_study(add("study", "run a study file, or continue an interrupted run, and write its report"))
    _add_init(add("init", "write a study file to start from, which runs as it is and explains every key"))
    _add_schema(add("schema", "print all keys of study files: types, defaults and meanings"))

    status = add("status", "show the progress of a study")
    status.add_argument("folder", type=Path, help="the --out folder of the study")

    report = add("report", "rewrite the report of a stored study")
    report.add_argument("study", type=Path, help="study.nc, or the folder that contains it")
    report.add_argument("--out", type=Path, required=True, help="folder for the report")

    index = add("index", "write a list of the reports in a folder, as index.html and README.md")
    index.add_argument("folder", type=Path, help="folder whose subfolders contain reports")


def _add_scoring(add: Add) -> None:
    nll = add("nll", "estimate negative log-likelihoods with confidence intervals")
    nll.add_argument("model", help=MODEL)
    nll.add_argument("file", help=SEQUENCES)
    nll.add_argument(
        "--overlap", type=int, metavar="TOKENS", help="score longer texts in windows with this many tokens of context"
    )
    ratio = add("ratio", "estimate log-likelihood ratios, first over second, with confidence intervals")
    ratio.add_argument("model", help=MODEL)
    ratio.add_argument(
        "first",
        help="JSON objects with a first and a second text and optionally a prompt; or the first texts, in any format",
    )
    ratio.add_argument("second", nargs="?", help="file with the second texts, in the same order")
    ratio.add_argument(
        "--model2",
        metavar="MODEL",
        help="compare the texts of one file under two models: log p under the first model minus that under this one",
    )
    ratio.add_argument(
        "--decoupled", action="store_true", help="draw independent masks for the two sequences of a pair"
    )
    for command in (nll, ratio):
        command.add_argument(
            "--precision", help="sample until intervals have this half-width: nats (0.05) or a percentage (5%%)"
        )
        command.add_argument(
            "--interval", default="auto", help="kind of interval; 'infodis-stats intervals' lists them (default: auto)"
        )
        command.add_argument(
            "--simultaneous", action="store_true", help="intervals that cover simultaneously at the confidence level"
        )
        command.add_argument(
            "--out", type=Path, help=".csv file for the table, one row per sequence, or .nc file for all replicates"
        )
        command.add_argument(
            "--diagnosis", type=Path, metavar="FOLDER", help="folder for a page with verdicts and diagnostic figures"
        )
    scan = add("scan", "score every single substitution of sequences against the original, with confidence intervals")
    scan.add_argument("model", help=MODEL)
    scan.add_argument("file", help="sequences: one per line, FASTA or JSON; - for standard input")
    scan.add_argument("--out", type=Path, required=True, help="folder for scan.html, scan.md, scan.csv, scan.nc")
    scan.add_argument("--positions", help="positions to substitute, from 1, such as 10-20,25 (default: all)")
    scan.add_argument(
        "--mutants",
        metavar="LIST",
        help="score these mutants instead, such as K2A,Y5F:I6V, or a file with one per line; the table is mutants.csv",
    )
    scan.add_argument("--symbols", help="substitutes, such as ACGT (default: the alphabet, or the amino-acid residues)")
    compare = add("compare", "rank estimators by their variance per pass on the same sequences")
    _add_comparison(compare)
    rank = add("rank", "choose the most likely answer to each question, sampling only until the choice is settled")
    _add_question(rank)
    for command in (nll, ratio, rank):
        command.add_argument(
            "--most-passes",
            type=int,
            default=4096,
            help="largest number of passes per sequence or answer (default 4096)",
        )
    for command in (nll, ratio, scan):
        _add_interval(command)
    for command in (nll, ratio, scan, rank):
        _add_sampling(command, where="of other estimators than auto, " if command is rank else "")
        _add_model(command)

    consistency = add("consistency", "test whether the conditionals of a model come from one joint distribution")
    _add_orders(consistency)
    bracket = add("bracket", "bracket likelihoods of generation in a random order")
    _add_bracket(bracket)
    sampler = add("sampler", "compute likelihoods of a deterministic decoder, which have no noise")
    _add_sampler(sampler)
    for command in (nll, ratio, rank, consistency, bracket, sampler, compare):
        _add_chat(command)
    for command in (nll, ratio, rank, consistency, bracket, sampler, scan, compare):
        _add_reading(command, fasta=command is not rank)


def _add_evaluation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help=MODEL)
    parser.add_argument(
        "--tasks", required=True, metavar="NAMES", help="tasks, groups or patterns of them, such as arc_challenge,mmlu*"
    )
    parser.add_argument("--include-path", type=Path, metavar="DIR", help="folder with tasks of your own")
    parser.add_argument("--limit", type=float, help="documents of each task, or their share if below 1")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for results.json, samples, questions.nc and report.html; an interrupted run continues there",
    )
    parser.add_argument("--against", metavar="MODEL", help="compare with this model on the same tasks and masks")
    parser.add_argument("--json", action="store_true", help="print JSON")
    group = parser.add_argument_group("passes", "At most one of --error, --passes and --precision.")
    group.add_argument(
        "--error",
        type=float,
        help="sample a question until its winner is wrong with at most this probability (default 0.01)",
    )
    group.add_argument("--passes", type=int, help="passes for each choice or window of a text")
    group.add_argument(
        "--precision", type=float, metavar="NATS", help="sample until 95%% intervals have this half-width"
    )
    group.add_argument("--most-passes", type=int, default=128, help="largest number of passes (default 128)")
    group.add_argument("--estimator", default="auto", help="estimator; another one than auto needs --passes")
    group.add_argument("--seed", type=int, default=0, help="random seed of the masks (default 0)")
    group.add_argument(
        "--overlap",
        type=int,
        metavar="TOKENS",
        help="context of each further window of a long text (default: a quarter of the model's length)",
    )
    group.add_argument("--level", type=float, default=0.95, help="confidence level of the intervals (default 0.95)")
    group = parser.add_argument_group("the harness")
    group.add_argument("--num-fewshot", type=int, help="examples in the context")
    group.add_argument(
        "--apply-chat-template", action="store_true", help="put the contexts into the chat template of the tokenizer"
    )
    group.add_argument("--system-instruction", metavar="TEXT", help="system message before each context")
    group.add_argument(
        "--fewshot-as-multiturn", action="store_true", help="give the examples as turns of a conversation"
    )
    _add_model(parser)


def _add_models(add: Add) -> None:
    check = add("check", "examine what a model does, and whether its losses are likelihoods")
    check.add_argument("model", help=MODEL)
    validate = add("validate", "check a Hugging Face model and compare its losses with its published convention")
    validate.add_argument(
        "model",
        help="hf:FOLDER_OR_ID, or package.module:object, a MaskedLanguageModel of your own (with --allow-import)",
    )
    for command in (check, validate):
        _add_check(command)

    train = add("train", "train a small denoiser on text, on sequences or on an exact law")
    _add_training(train)


def _add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("corpus", nargs="+", type=Path, help="text files, or one TOML file with a [law] table")
    parser.add_argument("--out", type=Path, required=True, help="file for the model (.safetensors)")
    parser.add_argument("--held-out", type=Path, help="file for evaluation (default: the last twentieth of the corpus)")
    parser.add_argument("--length", type=int, default=128, help="longest sequence in tokens (default 128)")
    parser.add_argument(
        "--bpe", type=int, metavar="TOKENS", help="learn subwords (byte pairs), so many, in place of characters"
    )
    parser.add_argument("--lines", action="store_true", help="each line is a sequence by itself, such as a molecule")
    parser.add_argument("--block-size", type=int, help="tokens of a block: trains a block-diffusion model")
    parser.add_argument("--noise", choices=["uniform"], help="train for uniform noise, not for masks")
    parser.add_argument("--time", action="store_true", help="show the network the amount of uniform noise")
    parser.add_argument("--layers", type=int, default=4, help="transformer layers (default 4)")
    parser.add_argument(
        "--width", type=int, default=128, help="embedding width, a multiple of twice the heads (default 128)"
    )
    parser.add_argument("--heads", type=int, default=4, help="attention heads (default 4)")
    parser.add_argument("--steps", type=int, default=4500, help="optimiser steps (default 4500)")
    parser.add_argument("--batch", type=int, default=32, help="sequences per step (default 32)")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate (default 0.002)")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    parser.add_argument("--device", default="cpu", help="torch device (default cpu)")


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="study file (TOML)")
    parser.add_argument("--out", type=Path, required=True, help="folder for study.nc, report.html, report.md, tables/")
    parser.add_argument("--workers", type=int, default=1, help="number of worker processes (default 1)")
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address of a running Dask scheduler, such as tcp://node1:8786, or its scheduler file (.json)",
    )
    parser.add_argument(
        "--batch-size", type=int, help="rows per call of the model (default: 1024 for a law, else chosen from memory)"
    )
    parser.add_argument("--device", default="cpu", help="torch device (default cpu)")
    parser.add_argument(
        "--again",
        action="store_true",
        help="run the study even if the folder has its report, of the same models and code; completed blocks are kept",
    )
    _add_code(parser)


def _add_init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", nargs="?", default="comparison", help=f"{KINDS} (default comparison)")
    parser.add_argument("--out", type=Path, default=Path("study.toml"), help="file to write (default study.toml)")
    parser.add_argument(
        "--records",
        type=Path,
        nargs="+",
        metavar="FILE",
        help=f"score your own texts: {SEQUENCES.partition(', or -')[0]}",
    )
    parser.add_argument("--model", help="model of your own texts, or a TOML file with a [law] table (default austen)")


def _add_schema(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", nargs="?", help=f"{KINDS} (default: all)")
    parser.add_argument("--json", action="store_true", help="print the JSON schema (default kind: comparison)")


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--texts",
        metavar="FILE",
        help=f"texts that the model knows: {SEQUENCES} (default: a dozen English sentences, or proteins)",
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="folder for a page with the findings")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _add_model(parser, acceleration=False)


def _add_question(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help=MODEL)
    parser.add_argument(
        "file",
        help="JSON objects with answers and optionally a prompt and the index of the correct answer, one per line or "
        "in an array; the formats of common benchmarks are recognised",
    )
    parser.add_argument(
        "--error", type=float, default=0.05, help="largest probability of a wrong choice per question (default 0.05)"
    )
    parser.add_argument(
        "--per",
        choices=["none", "token", "byte"],
        default="none",
        help="compare the NLL of whole answers, per token or per byte (default none)",
    )


def _add_comparison(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help=MODEL)
    parser.add_argument("file", help=SEQUENCES)
    parser.add_argument(
        "--estimators",
        required=True,
        metavar="NAME,NAME,...",
        help="estimators to compare, separated by commas; 'infodis-stats estimators' lists them",
    )
    parser.add_argument(
        "--overlap", type=int, metavar="TOKENS", help="score longer texts in windows with this many tokens of context"
    )
    _add_interval(parser)
    group = parser.add_argument_group("sampling")
    group.add_argument("--passes", type=int, default=16, help="forward passes per replicate (default 16)")
    group.add_argument("--replicates", type=int, default=16, help="independent replicates (default 16)")
    group.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    group.add_argument("--json", action="store_true", help="print JSON")
    _add_model(parser)


def _add_interval(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--context", type=int, default=0, help="number of leading symbols given as context (default 0)")
    parser.add_argument("--level", type=float, default=0.95, help="confidence level (default 0.95)")


def _add_sampling(parser: argparse.ArgumentParser, where: str = "") -> None:
    group = parser.add_argument_group("sampling")
    group.add_argument("--estimator", default="auto", help="'infodis-stats estimators' lists them (default: auto)")
    group.add_argument("--passes", type=int, default=16, help=f"{where}forward passes per replicate (default 16)")
    group.add_argument("--replicates", type=int, default=8, help=f"{where}independent replicates (default 8)")
    group.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    group.add_argument("--json", action="store_true", help="print JSON")


def _add_orders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help=MODEL)
    parser.add_argument("file", help=SEQUENCES)
    group = parser.add_argument_group("sampling")
    group.add_argument("--orders", type=int, default=32, help="random orders per sequence (default 32)")
    group.add_argument(
        "--swaps", type=int, help="compare this many swaps of two positions instead of orders, at 3 passes each"
    )
    group.add_argument(
        "--tolerance", type=float, help="largest rounding error of a conditional in nats (default 0.0001)"
    )
    group.add_argument("--context", type=int, default=0, help="number of leading symbols given as context (default 0)")
    group.add_argument("--level", type=float, default=0.95, help="confidence level (default 0.95)")
    group.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    group.add_argument("--json", action="store_true", help="print JSON")
    _add_model(parser)


def _add_bracket(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help=MODEL)
    parser.add_argument("file", help=SEQUENCES)
    group = parser.add_argument_group("sampling")
    group.add_argument(
        "--orders",
        type=int,
        default=128,
        help="passes per sequence, in orders of one pass per token each (default 128)",
    )
    group.add_argument("--context", type=int, default=0, help="number of leading symbols given as context (default 0)")
    group.add_argument("--level", type=float, default=0.95, help="confidence level (default 0.95)")
    group.add_argument("--seed", type=int, default=0, help="random seed (default 0)")
    group.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--out", type=Path, help=".csv file for the table, or .nc file for the result")
    _add_model(parser)


def _add_sampler(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help=MODEL)
    parser.add_argument("file", help=SEQUENCES)
    group = parser.add_argument_group("decoder")
    group.add_argument(
        "--rule",
        choices=["confidence", "entropy", "margin", "left-to-right", "right-to-left"],
        default="confidence",
        help="which positions are revealed first (default confidence: those of the largest probability)",
    )
    group.add_argument("--tokens-per-step", type=int, default=1, help="positions that a step reveals (default 1)")
    group.add_argument(
        "--block",
        type=int,
        help="positions of a block; blocks are decoded from left to right (default: those of the model, else none)",
    )
    parser.add_argument("--context", type=int, default=0, help="number of leading symbols given as context (default 0)")
    parser.add_argument("--out", type=Path, help=".csv file for the table, or .nc file for the result")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _add_model(parser)


def _add_model(parser: argparse.ArgumentParser, *, acceleration: bool = True) -> None:
    group = parser.add_argument_group("networks")
    group.add_argument("--device", default="cpu", help="torch device (default cpu)")
    if acceleration:  # a check examines the network itself, in batches of its own
        group.add_argument("--batch-size", type=int, help="rows per call of the model (default: chosen from memory)")
        group.add_argument(
            "--autocast", choices=["bfloat16", "float16"], help="compute matrix products in half precision"
        )
        group.add_argument("--compile", action="store_true", help="compile the network's blocks")
    _add_code(group)
    group = parser.add_argument_group("Hugging Face models", "The defaults are the conventions of the model's family.")
    group.add_argument("--family", help="calling convention, such as llada (default: recognised by the configuration)")
    group.add_argument("--tokenizer", help="tokenizer, if it is not stored with the weights: folder or hub id")
    group.add_argument("--mask-id", type=int, metavar="ID", help="token id of the mask")
    group.add_argument(
        "--before",
        type=_token_ids,
        metavar="IDS",
        help="ids of special tokens before every sequence, such as 1,2; '' for none",
    )
    group.add_argument("--after", type=_token_ids, metavar="IDS", help="ids of special tokens after every sequence")
    group.add_argument(
        "--shifted",
        action=argparse.BooleanOptionalAction,
        help="whether the logits for a position are at the output before it",
    )
    group.add_argument(
        "--exclude-mask",
        action=argparse.BooleanOptionalAction,
        help="whether the mask is excluded from the softmax",
    )
    group.add_argument(
        "--guidance",
        type=float,
        metavar="SCALE",
        help="scale of classifier-free guidance, which takes two forward passes per pass (default 0)",
    )
    group.add_argument(
        "--block-size", type=int, metavar="SIZE", help="positions of a block of a network of block diffusion"
    )
    group.add_argument("--dtype", help="dtype of the weights, such as bfloat16 (default: the stored one)")
    group.add_argument("--device-map", metavar="MAP", help="distribution of the layers over devices, such as auto")
    group.add_argument("--revision", help="commit, tag or branch of a hub model")


def _add_code(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--trust-remote-code", action="store_true", help="run Python code stored with the weights")
    parser.add_argument(
        "--allow-import",
        action="store_true",
        help="import modules named as models, the current folder included",
    )


def _add_chat(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("chat")
    group.add_argument(
        "--chat-template", action="store_true", help="put the prompts into the chat template of the tokenizer"
    )
    group.add_argument("--system-prompt", metavar="TEXT", help="system message before each prompt")


def _add_reading(parser: argparse.ArgumentParser, *, fasta: bool) -> None:
    group = parser.add_argument_group("files", "The content of a file says which format it has.")
    group.add_argument("--file-format", choices=["lines", "fasta", "json"], help="format, where it may be several")
    group.add_argument(
        "--fields",
        type=_fields,
        metavar="OURS=THEIRS,...",
        help="keys of JSON objects that have other names, such as prompt=x,first=y,second=z",
    )
    if fasta:
        group.add_argument("--upper", action="store_true", help="read lower-case symbols of FASTA as upper-case ones")
        group.add_argument("--strip-stop", action="store_true", help="drop a * at the end of FASTA sequences")


def _fields(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",")]
    named = {ours.strip(): theirs.strip() for ours, _, theirs in pairs}
    if len(named) < len(pairs) or not all(map(all, named.items())):
        raise argparse.ArgumentTypeError(f"must be names such as prompt=x,first=y,second=z, got {text!r}")
    return named


def _token_ids(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\s*|\s*\d+\s*(?:,\s*\d+\s*)*", text):
        raise argparse.ArgumentTypeError(f"must be token ids separated by commas, such as 1,2, got {text!r}")
    return tuple(int(token) for token in text.split(",") if token.strip())
