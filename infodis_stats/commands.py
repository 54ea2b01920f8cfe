"""What the commands do: from parsed arguments to tables, JSON or files."""

import argparse
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from estimators import InfodisError, InputError, estimator, estimator_names
from infodis_stats.analysis import student_t
from infodis_stats.estimate import estimate_log_ratio, estimate_nll
from infodis_stats.files import read_text, writable_folder
from infodis_stats.models import Denoiser, DenoiserConfig, TextModel, load_model
from infodis_stats.models.training import TrainingPlan, Windows, law_windows, text_windows
from infodis_stats.models.training import train as train_denoiser
from infodis_stats.oracles import Law, MarkovChain
from infodis_stats.provenance import versions
from infodis_stats.records import Record, read_records
from infodis_stats.report import write_report, write_scans
from infodis_stats.report.answer import answer
from infodis_stats.report.scan import ranking_tables, scan_answer
from infodis_stats.report.tables import main_table
from infodis_stats.scan import rank_substitutions, scan_substitutions
from infodis_stats.spec import read_law
from infodis_stats.store import read_store
from infodis_stats.study import run_study
from infodis_stats.symbols import alternatives, encode_sequence, symbol_tokens
from infodis_stats.texts import estimate_texts

__all__ = ["doctor", "estimators", "nll", "ratio", "report", "scan", "study", "train"]

HELD_OUT_WINDOWS = 200
PRINTED = 8  # substitutions at either end of a ranking


def study(options: argparse.Namespace) -> None:
    """Run a study file, write its report and print the main table."""
    writable_folder(options.out)  # before hours of work, not after
    tree = run_study(options.file, batch_size=options.batch_size, device=options.device, show_progress=True)
    page = write_report(tree, options.out)
    summary = tree["summary"].to_dataset()
    for group in summary["group"].values.tolist():
        print(f"\n{group}, {int(summary['passes'][-1])} passes\n")
        print(main_table(tree, group).to_markdown(index=False, tablefmt="simple", disable_numparse=True))
    print()
    for sentence in answer(tree):
        print(sentence)
    print(f"\nThe report is {page}")


def report(options: argparse.Namespace) -> None:
    """Write the report of a stored study anew."""
    print(write_report(read_store(options.study), options.out))


def nll(options: argparse.Namespace) -> None:
    """Estimate negative log-likelihoods of the lines or records of a file, under an exact law or a network."""
    sampling = {
        "passes": options.passes,
        "replicates": options.replicates,
        "seed": options.seed,
        "level": options.level,
    }
    if Path(options.model).suffix == ".toml":
        law = read_law(options.model)
        sequences = _sequences(options.file, law)
        result = estimate_nll(law, sequences, options.estimator, context=options.context, **sampling)
        exact = [_exact(law, one, options.context) for one in sequences]
        _print(result, "nll", {"exact": exact}, as_json=options.json)
        return
    if options.context:
        raise InputError("--context is for laws; a network reads its prompts from the records of a .jsonl file")
    model = load_model(options.model)
    records = read_records(options.file)
    with tqdm(unit="pass", unit_scale=True, disable=None) as bar:
        result = estimate_texts(
            model, records, options.estimator, overlap=options.overlap, progress=bar.update, **sampling
        )
    lower, upper = result["bits_per_token_ci"].values.T
    columns = {"tokens": result["length"].values, "bits a token": result["bits_per_token"].values}
    _print(result, "nll", columns | {"bits lower": lower, "bits upper": upper}, as_json=options.json)


def ratio(options: argparse.Namespace) -> None:
    """Estimate log-likelihood ratios of the lines of two files."""
    law = read_law(options.law)
    first, second = _sequences(options.first, law), _sequences(options.second, law)
    result = estimate_log_ratio(
        law,
        first,
        second,
        options.estimator,
        coupled=not options.decoupled,
        passes=options.passes,
        replicates=options.replicates,
        seed=options.seed,
        context=options.context,
        level=options.level,
    )
    exact = [
        _exact(law, two, options.context) - _exact(law, one, options.context)
        for one, two in zip(first, second, strict=True)
    ]
    _print(result, "log_ratio", {"exact": exact}, as_json=options.json)


def scan(options: argparse.Namespace) -> None:
    """Score every single substitution of the sequences of a file, and write and print the ranking."""
    writable_folder(options.out)
    model: Law | TextModel
    if Path(options.model).suffix == ".toml":
        model = read_law(options.model)
    else:
        model = load_model(options.model, tokenizer=options.tokenizer, device=options.device)
    scans = {}
    for record in read_records(options.file):
        try:
            scans[record.name] = _scan(model, record, options)
        except InputError as error:
            raise InputError(f"{options.file}, {record.name!r}: {error}") from error
    page = write_scans(scans, options.out)
    if options.json:
        found = [
            {"name": name, "attributes": _attributes(one), "substitutions": rank_substitutions(one).to_dict("records")}
            for name, one in scans.items()
        ]
        print(json.dumps({"scans": found}, indent=1))
        return
    for name, one in scans.items():
        print(f"\n{name}\n")
        for sentence in scan_answer(one):
            print(sentence)
        for title, table in ranking_tables(one, PRINTED).items():
            print(f"\n{title}\n\n{table.to_markdown(index=False, tablefmt='simple', disable_numparse=True)}")
        _print_what_made_it(one)
    print(f"\nThe report is {page}")


def _scan(model: Law | TextModel, record: Record, options: argparse.Namespace) -> xr.Dataset:
    if record.prompt:
        raise InputError("a scan takes whole sequences; give no prompt but the number of its symbols, with --context")
    tokens = encode_sequence(model, record.response.strip() if isinstance(model, Law) else record.response)
    positions = np.arange(options.context, len(tokens))
    if options.positions is not None and positions.size:
        positions = _positions(options.positions, positions)
    if options.symbols is None:
        symbols = alternatives(model, tokens)
    else:
        symbols = symbol_tokens(model, options.symbols.split() if " " in options.symbols else options.symbols)
    sequences = 1 + int((tokens[positions, None] != symbols).sum())
    with tqdm(total=sequences, unit="sequence", desc=record.name, disable=None) as bar:
        return scan_substitutions(
            model,
            tokens,
            options.estimator,
            positions=positions,
            symbols=symbols,
            passes=options.passes,
            replicates=options.replicates,
            seed=options.seed,
            context=options.context,
            level=options.level,
            batch_size=options.batch_size,
            device=options.device,
            progress=bar.update,
        )


def _positions(ranges: str, scored: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the indices of positions that are written like ``10-20,25``, counted from 1."""
    positions: set[int] = set()
    for part in ranges.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last:
            raise InputError(f"--positions needs numbers and ranges such as 10-20,25, got {ranges!r}")
        if first - 1 < scored[0] or last - 1 > scored[-1]:
            raise InputError(
                f"--positions {part.strip()} is outside what is scored, positions {scored[0] + 1} to {scored[-1] + 1}"
            )
        positions.update(range(first - 1, last))
    return np.array(sorted(positions))


def _sequences(name: str, law: Law) -> list[NDArray[np.int64]]:
    """Read a sequence a line; blank lines are passed over."""
    sequences = []
    for number, line in enumerate(read_text(name).splitlines(), 1):
        if line.strip():
            try:
                sequences.append(law.encode([line.strip()])[0])
            except InputError as error:
                raise InputError(f"{name}, line {number}: {error}") from error
    if not sequences:
        raise InputError(f"{name} holds no sequence")
    return sequences


def _exact(law: Law, tokens: NDArray[np.int64], context: int) -> float:
    return float(law.nll(tokens[None], context=context)[0])


def _print(result: xr.Dataset, name: str, columns: Mapping[str, ArrayLike], *, as_json: bool) -> None:
    unit = str(result[name].dims[0])
    frame = pd.DataFrame(
        {
            unit: result[unit].values,
            name: result[name].values,
            "se": result[f"{name}_se"].values,
            "lower": result[f"{name}_ci"].sel(ci_bound="lower").values,
            "upper": result[f"{name}_ci"].sel(ci_bound="upper").values,
            **columns,
            "passes run": result["forward_passes"].values,
        }
    )
    if as_json:
        rows = json.loads(frame.to_json(orient="records"))
        print(json.dumps({"attributes": _attributes(result), f"{unit}s": rows}, indent=1))
        return
    print(frame.to_markdown(index=False, tablefmt="simple", floatfmt=".4f"))
    _print_what_made_it(result)


def _attributes(result: xr.Dataset) -> dict[str, object]:
    return result.attrs | {name: json.loads(result.attrs[name]) for name in ("cautions", "versions")}


def _print_what_made_it(result: xr.Dataset) -> None:
    attributes = result.attrs
    print(
        f"\nnats; {attributes['estimator']}, {attributes['passes']} passes x {attributes['replicates']} replicates, "
        f"seed {attributes['seed']}; {100 * attributes['ci_prob']:g} % Student-t intervals"
    )
    for key, sentence in json.loads(attributes["cautions"]).items():
        print(f"Caution ({key}): {sentence}.")


def train(options: argparse.Namespace) -> None:
    """Train a denoiser, say what it makes of text it has not seen, and write it."""
    if options.out.suffix != ".safetensors":
        raise InputError(f"--out needs a .safetensors file, got {options.out}")
    writable_folder(options.out.parent)
    source, alphabet, held_out = _corpus(options)
    torch.manual_seed(options.seed)
    config = DenoiserConfig(alphabet, options.length, options.layers, options.width, options.heads)
    plan = TrainingPlan(options.steps, options.batch, options.rate, min(100, options.steps), options.seed)
    model = Denoiser(config).to(options.device)
    with tqdm(total=plan.steps, unit="step", disable=None) as bar:

        def show(done: int, loss: float) -> None:
            bar.update(done - bar.n)
            bar.set_postfix_str(f"{loss / math.log(2):.2f} bits a symbol", refresh=False)

        train_denoiser(model, source, plan, checkpoint=options.out.with_suffix(".partial"), progress=show)
    tokens = held_out(HELD_OUT_WINDOWS, torch.Generator().manual_seed(options.seed)).numpy()
    nll = estimate_nll(model, tokens, passes=16, replicates=2, seed=options.seed, batch_size=64, device=options.device)
    bits = nll["nll"].values / options.length / math.log(2)
    interval = student_t(bits)
    found = f"{bits.mean():.3f} bits a symbol, 95 % interval {interval.lower:.3f} to {interval.upper:.3f}"
    corpus = " ".join(path.name for path in options.corpus)
    model.save(options.out, {"corpus": corpus, "plan": json.dumps(asdict(plan)), "held_out": found})
    print(f"Held out: {found} ({HELD_OUT_WINDOWS} windows of {options.length})")
    print(f"The model is {options.out}")


def _corpus(options: argparse.Namespace) -> tuple[Windows, str, Windows]:
    """Read what to train on: training windows, alphabet, held-out windows."""
    if options.corpus[0].suffix == ".toml":
        law = read_law(options.corpus[0])
        return law_windows(law, options.length), law.alphabet, law_windows(law, options.length)
    text = "\n".join(read_text(path) for path in options.corpus)
    if options.held_out is not None:
        unseen = read_text(options.held_out)
    else:
        cut = len(text) - max(len(text) // 20, options.length)
        text, unseen = text[: max(cut, 0)], text[max(cut, 0) :]
    # Printable ASCII always: a model should price any English text, if dearly.
    alphabet = "".join(sorted({"\n", *map(chr, range(32, 127)), *text, *unseen}))
    code = {character: token for token, character in enumerate(alphabet)}
    seen, new = (torch.tensor([code[character] for character in part]) for part in (text, unseen))
    return text_windows(seen, options.length), alphabet, text_windows(new, options.length)


def estimators(options: argparse.Namespace) -> None:
    """List the estimators."""
    rows = [
        {
            "name": name,
            "unbiased": estimator(name).unbiased,
            "finite variance": estimator(name).finite_variance,
            "what it draws": estimator(name).summary,
        }
        for name in estimator_names()
    ]
    if options.json:
        print(json.dumps(rows, indent=1))
    else:
        print(pd.DataFrame(rows).to_markdown(index=False, tablefmt="simple"))


def doctor(options: argparse.Namespace) -> None:
    """Say what is installed and check one number end to end."""
    law = MarkovChain.random(order=2, alphabet="ACGT", seed=0)
    tokens = law.sample(1, length=6, seed=0)
    estimate = estimator("exhaustive").sample(law, tokens, passes=63, replicates=1, rng=0)
    error = abs(float(estimate[0, 0] - law.nll(tokens)[0]))
    findings = versions() | {
        "torch threads": str(torch.get_num_threads()),
        "cuda": "yes" if torch.cuda.is_available() else "no",
        "check": f"all masks miss the exact likelihood by {error:.1e} nats: {'fine' if error < 1e-9 else 'WRONG'}",
    }
    if options.json:
        print(json.dumps(findings, indent=1))
    else:
        width = max(map(len, findings))
        for name, value in findings.items():
            print(f"{name:<{width}}  {value}")
    if error >= 1e-9:
        raise InfodisError(
            "this installation computes wrong numbers: exhaustive enumeration misses the exact likelihood"
        )
