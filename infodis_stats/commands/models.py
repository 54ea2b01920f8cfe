"""Loading of the model that a command line names: the only place that decides which third-party code runs."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from estimators import InputError
from infodis_stats.io.records import Question, Record, TextPair
from infodis_stats.laws import Law
from infodis_stats.models import TextModel, accelerated, check_text_model, load_model
from infodis_stats.models.huggingface.chat import chat_template_digest, with_chat_template
from infodis_stats.models.text_model import MaskedTextModel
from infodis_stats.studies.design.laws import read_law

__all__ = [
    "LOADING",
    "as_prompted",
    "chat_attributes",
    "load_network",
    "loading_options",
    "read_masked_model",
    "read_model",
    "search_current_folder",
    "with_default_loading",
]

Prompted = TypeVar("Prompted", Record, TextPair, Question)

LOADING = (
    "family",
    "tokenizer",
    "mask_id",
    "before",
    "after",
    "shifted",
    "exclude_mask",
    "guidance",
    "block_size",
    "dtype",
    "device_map",
    "revision",
)
"""Options of `load_model` by their names in Python."""
OTHERS = ("autocast", "compile", "chat_template", "system_prompt")
"""Other options of networks only."""


def read_model(name: str, options: argparse.Namespace) -> Law | TextModel:
    """Read an exact law from a TOML file, or load a network that scores text."""
    if Path(name).suffix == ".toml":
        for option in (*loading_options(options), *(option for option in OTHERS if getattr(options, option, None))):
            raise InputError(f"{option}= is an option of networks, but {name} is an exact law")
        return read_law(name)
    model = check_text_model(load_network(name, options), name)
    if options.autocast is None and not options.compile:
        return model
    precision = None if options.autocast is None else getattr(torch, options.autocast)
    return accelerated(model, autocast=precision, compile=options.compile)


def read_masked_model(name: str, options: argparse.Namespace) -> Law | MaskedTextModel:
    """Read a model as `read_model` does, for a command that is about masks."""
    model = read_model(name, options)
    if isinstance(model, Law | MaskedTextModel):
        return model
    raise InputError(
        f"{model.describe()} gives score ratios of noised tokens, but this command needs a model that prices masked "
        "tokens; nll, ratio, rank and compare take either"
    )


def load_network(name: str, options: argparse.Namespace) -> TextModel:
    """Load a network, which may lack methods for text; third-party code runs only as the options permit."""
    search_current_folder(options)
    return load_model(
        name,
        device=options.device,
        trust_remote_code=options.trust_remote_code,
        allow_import=options.allow_import,
        **loading_options(options),
    )


def loading_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of Hugging Face models that the command line gives, as `load_model` takes them."""
    return {option: value for option in LOADING if (value := getattr(options, option)) is not None}


def with_default_loading(options: argparse.Namespace) -> argparse.Namespace:
    """Return the options without those of networks, for a second model, which has the conventions of its family."""
    defaults = dict.fromkeys(LOADING) | {"autocast": None, "compile": False, "chat_template": False}
    return argparse.Namespace(**vars(options) | defaults | {"system_prompt": None})


def search_current_folder(options: argparse.Namespace) -> None:
    """Let modules of the current folder be imported, as ``python -m`` does, if the user allows imports."""
    here = str(Path.cwd())
    if options.allow_import and not sys.flags.safe_path and here not in sys.path:
        sys.path.insert(0, here)


def as_prompted(records: Sequence[Prompted], model: Law | TextModel, options: argparse.Namespace) -> Sequence[Prompted]:
    """Put the prompts of records into the chat template of the model if ``--chat-template`` is given."""
    if options.chat_template:
        return with_chat_template(records, model, system_prompt=options.system_prompt)
    if options.system_prompt is not None:
        raise InputError("system_prompt= is part of a chat template: it needs --chat-template")
    return records


def chat_attributes(options: argparse.Namespace, model: Law | TextModel) -> dict[str, str]:
    """Return the attributes of a result that say how its prompts were rendered; none if they were taken as they are."""
    if not options.chat_template:
        return {}
    system = {} if options.system_prompt is None else {"system_prompt": options.system_prompt}
    template = {"chat_template": "that of the tokenizer", "chat_template_sha256": chat_template_digest(model)}
    return template | system
