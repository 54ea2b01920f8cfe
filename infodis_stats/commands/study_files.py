"""The commands for study files: write one to start from, and explain the keys."""

import argparse
import json
import shlex
from pathlib import Path

from estimators import InputError
from infodis_stats.io.files import write_new_text
from infodis_stats.studies import records_template, study_reference, study_schema, study_template

__all__ = ["init", "schema"]


def init(options: argparse.Namespace) -> None:
    """Write a study file that runs as it is, on texts of the user's own if there are any."""
    out = options.out
    if Path(options.kind).is_file():
        raise InputError(f"{options.kind!r} is a file, not a kind of study: name your own texts with records=")
    if options.records:
        model = "austen" if options.model is None else options.model
        text = records_template(options.kind, options.records, model, folder=out.parent)
    elif options.model is not None:
        raise InputError("model= scores texts of your own: name them with records=")
    else:
        text = study_template(options.kind)
    write_new_text(out, text)
    command = shlex.join(["infodis-stats", "study", str(out), "--out", str(out.with_suffix(""))])
    print(f"{out} is written. Run it: {command}")


def schema(options: argparse.Namespace) -> None:
    """Print a reference of the keys of study files, or their JSON schema."""
    if options.json:
        print(json.dumps(study_schema(options.kind or "comparison"), indent=1))
    else:
        print(study_reference(options.kind))
