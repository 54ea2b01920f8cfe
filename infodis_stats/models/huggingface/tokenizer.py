"""Tokenizers: reading them from a model folder, and the special tokens that they add."""

import json
from pathlib import Path
from typing import Any

from estimators import InputError
from infodis_stats.io.files import StoreError
from infodis_stats.models.huggingface.folder import TOKENIZERS, first_line

__all__ = ["read_tokenizer", "tokens_around"]

CHOOSING = ("auto_map", "model_type", "tokenizer_class")  # in config.json, of the tokenizer's class


def read_tokenizer(transformers: Any, folder: Path, trust_remote_code: bool) -> Any:
    """Read the tokenizer in a folder; return None if there is none.

    If transformers cannot read it, a ``vocab.txt`` without a tokenizer configuration is read as a WordPiece vocabulary,
    cased if it contains capital letters.

    Raises
    ------
    StoreError
        If the tokenizer is damaged or incomplete.
    InputError
        If it is defined by code that is not trusted, and not by a class of transformers.
    """
    if not any(path for pattern in TOKENIZERS for path in folder.glob(pattern)):
        return None
    if not trust_remote_code:
        _refuse_code(transformers, folder)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            folder, config=_network(transformers, folder), trust_remote_code=trust_remote_code, local_files_only=True
        )
        # If the vocabulary file of the guessed class is missing, transformers may return an empty tokenizer.
        files = list(tokenizer.vocab_files_names.values())
        if not files or any((folder / name).is_file() for name in files):
            return tokenizer
        problem = "it has no vocabulary"
    except Exception as error:  # third-party files and code may raise anything
        problem = first_line(error)
    words = folder / "vocab.txt"
    if not words.is_file() or _described(folder):
        raise StoreError(f"the tokenizer in {folder} cannot be read: {problem}")
    cased = any(word != word.lower() for word in words.read_text(encoding="utf-8").split() if not word.startswith("["))
    return transformers.BertTokenizer(str(words), do_lower_case=not cased)


def tokens_around(tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the special tokens that a tokenizer with a mask token puts before and after a text.

    Raises
    ------
    InputError
        If it also changes the text between them.
    """
    inner = tokenizer.encode(tokenizer.mask_token, add_special_tokens=False)
    outer = tokenizer.encode(tokenizer.mask_token)
    for start in range(len(outer) - len(inner) + 1):
        stop = start + len(inner)
        if outer[start:stop] == inner:
            return tuple(outer[:start]), tuple(outer[stop:])
    raise InputError(
        "the tokenizer does more than add special tokens before and after a text: specify those of a sequence with "
        "before= and after="
    )


def _network(transformers: Any, folder: Path) -> Any:
    """Return the settings of a network with code of its own; None lets transformers read those of its own networks.

    Version 5 would run the code of the network to read a tokenizer, which depends on the network's type only.
    """
    config = _settings(folder / "config.json")
    if "auto_map" not in config:
        return None
    return transformers.PretrainedConfig.from_dict({name: config[name] for name in CHOOSING if name in config})


def _described(folder: Path) -> bool:
    return (folder / "tokenizer.json").is_file() or "tokenizer_class" in _settings(folder / "tokenizer_config.json")


def _refuse_code(transformers: Any, folder: Path) -> None:
    # Version 5 silently reads such a tokenizer with a class of its own.
    own = _settings(folder / "tokenizer_config.json")
    for settings in (own, _settings(folder / "config.json")):
        classes = settings.get("auto_map")
        code = classes.get("AutoTokenizer") if isinstance(classes, dict) else classes
        if code and not hasattr(transformers, str(own.get("tokenizer_class"))):
            named = ", ".join(str(name) for name in (code if isinstance(code, list) else [code]) if name)
            raise InputError(
                f"the tokenizer in {folder} is defined by Python code stored with it ({named}), which is run only with "
                "trust_remote_code=True"
            )


def _settings(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file; empty if there is none."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return settings if isinstance(settings, dict) else {}
