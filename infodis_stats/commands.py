"""What the commands do: from parsed arguments to tables, JSON or files."""

import argparse
import json

import numpy as np
import pandas as pd
import torch
import xarray as xr
from numpy.typing import NDArray

from estimators import InfodisError, InputError, estimator, estimator_names
from infodis_stats.estimate import estimate_log_ratio, estimate_nll
from infodis_stats.files import read_text, writable_folder
from infodis_stats.oracles import Law, MarkovChain
from infodis_stats.provenance import versions
from infodis_stats.report import write_report
from infodis_stats.report.answer import answer
from infodis_stats.report.tables import main_table
from infodis_stats.spec import read_law
from infodis_stats.store import read_store
from infodis_stats.study import run_study

__all__ = ["doctor", "estimators", "nll", "ratio", "report", "study"]


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
    """Estimate negative log-likelihoods of the lines of a file."""
    law = read_law(options.law)
    sequences = _sequences(options.sequences, law)
    result = estimate_nll(
        law,
        sequences,
        options.estimator,
        passes=options.passes,
        replicates=options.replicates,
        seed=options.seed,
        context=options.context,
        level=options.level,
    )
    _print(result, "nll", [_exact(law, one, options.context) for one in sequences], as_json=options.json)


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
    _print(result, "log_ratio", exact, as_json=options.json)


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


def _print(result: xr.Dataset, name: str, exact: list[float], *, as_json: bool) -> None:
    unit = str(result[name].dims[0])
    frame = pd.DataFrame(
        {
            unit: result[unit].values,
            name: result[name].values,
            "se": result[f"{name}_se"].values,
            "lower": result[f"{name}_ci"].sel(ci_bound="lower").values,
            "upper": result[f"{name}_ci"].sel(ci_bound="upper").values,
            "exact": exact,
            "passes run": result["forward_passes"].values,
        }
    )
    cautions = json.loads(result.attrs["cautions"])
    if as_json:
        attributes = {key: value for key, value in result.attrs.items() if key not in ("cautions", "versions")}
        attributes |= {"cautions": cautions, "versions": json.loads(result.attrs["versions"])}
        print(json.dumps({"attributes": attributes, f"{unit}s": json.loads(frame.to_json(orient="records"))}, indent=1))
        return
    print(frame.to_markdown(index=False, tablefmt="simple", floatfmt=".4f"))
    attributes = result.attrs
    print(
        f"\nnats; {attributes['estimator']}, {attributes['passes']} passes x {attributes['replicates']} replicates, "
        f"seed {attributes['seed']}; {100 * attributes['ci_prob']:g} % Student-t intervals"
    )
    for key, sentence in cautions.items():
        print(f"Caution ({key}): {sentence}.")


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
