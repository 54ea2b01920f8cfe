"""The commands that examine a model and compare it with its published convention."""

import argparse
import json
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from estimators import InputError
from infodis_stats.commands.models import LOADING, load_network, loading_options, read_model, search_current_folder
from infodis_stats.commands.option_names import with_options
from infodis_stats.diagnostics.models import ModelCheck, Validation, check_model, validate_model
from infodis_stats.diagnostics.verdict import Diagnosis, Verdict
from infodis_stats.io.records import read_records
from infodis_stats.io.tables import markdown_table
from infodis_stats.models import MaskedLanguageModel
from infodis_stats.progress import progress_bar
from infodis_stats.report import write_model_check
from infodis_stats.report.model_check import validation_table
from infodis_stats.results.provenance import versions

__all__ = ["check", "validate"]


def check(options: argparse.Namespace) -> None:
    """Examine a model, even one that is refused for use, and print verdicts and options."""
    found = _with_options(_check(options), options)
    if options.out is not None:
        page = write_model_check(found, options.out)
    if options.json:
        print(json.dumps(_entry(found), indent=1))
        return
    print(_text(found))
    if options.out is not None:
        print(f"\nThe page is {page}")


def validate(options: argparse.Namespace) -> None:
    """Check a model, compare its losses with its published convention, and print Markdown for a bug report."""
    model = load_network(options.model, options)
    if not isinstance(model, MaskedLanguageModel):
        raise InputError("validate compares a Hugging Face model with its published convention; use check for others")
    with progress_bar("check") as bar:
        validation = validate_model(model, _texts(options), seed=options.seed, progress=bar.update)
    validation = replace(validation, check=_with_options(validation.check, options))
    if options.out is not None:
        page = write_model_check(validation.check, options.out, validation)
    if options.json:
        rows = json.loads(validation.table.to_json(orient="records"))
        print(json.dumps(_entry(validation.check) | {"validation": rows, "agrees": validation.agrees}, indent=1))
        return
    print(_report(validation))
    if options.out is not None:
        print(f"\nThe page is {page}")


def _check(options: argparse.Namespace) -> ModelCheck:
    settings: dict[str, Any] = {"texts": _texts(options), "seed": options.seed}
    with progress_bar("check") as bar:
        settings["progress"] = bar.update
        if Path(options.model).suffix == ".toml":
            return check_model(read_model(options.model, options), **settings)
        search_current_folder(options)
        permitted = {"trust_remote_code": options.trust_remote_code, "allow_import": options.allow_import}
        return check_model(options.model, device=options.device, **permitted, **loading_options(options), **settings)


def _with_options(found: ModelCheck, options: argparse.Namespace) -> ModelCheck:
    """Return a check whose reasons and advice name options of the command line."""
    verdicts = [
        replace(
            verdict,
            reason=with_options(verdict.reason, vars(options)),
            advice=with_options(verdict.advice, vars(options)),
        )
        for verdict in found.diagnosis.verdicts
    ]
    return replace(found, diagnosis=Diagnosis(verdicts))


def _text(found: ModelCheck) -> str:
    loading = f"\n\nLoad it with: {_options(found)}" if found.options else ""
    return f"{found.model}\n\n{found.diagnosis}{loading}"


def _options(found: ModelCheck) -> str:
    """Return the options of the command line for the conventions of a model."""
    written = []
    for name, value in found.options.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            written.append(f"--{option}" if value else f"--no-{option}")
        elif isinstance(value, list):
            written += [f"--{option} {','.join(map(str, value))}"] if value else []
        elif name in LOADING and value:
            written.append(f"--{option} {value}")
    return " ".join(written)


def _texts(options: argparse.Namespace) -> list[str] | None:
    if options.texts is None:
        return None
    return [record.prompt + record.response + record.suffix for record in read_records(options.texts)]


def _entry(found: ModelCheck) -> dict[str, object]:
    verdicts = json.loads(found.to_dataframe().to_json(orient="records"))
    return {
        "model": found.model,
        "verdict": found.verdict,
        "overall": found.overall,
        "verdicts": verdicts,
        "measured": dict(found.measured),
        "options": dict(found.options),
    }


def _report(validation: Validation) -> str:
    """Return Markdown that can be pasted into a bug report."""
    found = validation.check
    losses = validation_table(validation)
    numbers = ["right"] * (losses.shape[1] - 1)
    settings = pd.DataFrame(
        [
            ("model", found.model),
            *found.options.items(),
            *versions().items(),
            ("transformers", metadata.version("transformers")),
        ],
        columns=["setting", "value"],
    )
    return "\n\n".join(
        [
            found.overall,
            validation.answer,
            markdown_table(losses, ["left", *numbers]),
            "\n".join(f"- {_line(verdict)}" for verdict in found.diagnosis.verdicts),
            markdown_table(settings),
        ]
    )


def _line(verdict: Verdict) -> str:
    """Return a verdict in a line: a table of them is too wide for a terminal."""
    parts = (f"{verdict.check}, {verdict.verdict}: {verdict.reason}", verdict.measured, verdict.advice)
    return "; ".join(part for part in parts if part)
