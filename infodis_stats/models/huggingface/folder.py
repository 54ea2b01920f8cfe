"""Model folders (local folders or snapshots of hub models) and their configuration."""

import importlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from estimators import InputError
from infodis_stats.io.files import StoreError
from infodis_stats.models.huggingface.configuration import checked_entries

__all__ = [
    "TOKENIZERS",
    "WEIGHT_FILES",
    "code_folder",
    "first_line",
    "model_folder",
    "parts_of_index",
    "read_config",
    "refuse_adapters",
]

HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
COMMIT = re.compile(r"[0-9a-f]{40}")
# Subfolders often contain the same weights in other formats, but they may also contain code.
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")  # transformers prefers the first, and a file to its shards
SAFE, PICKLED = "*.safetensors", "pytorch_model*.bin"
ADAPTERS = ("adapter_config.json", "adapter_model.*")
TOKENIZERS = ("tokenizer*", "vocab*", "*.model")
DOWNLOADED = ["*.json", "*.txt", "*.model", "*.jinja", "*.py"]
LEFT_OUT = [f"*/{pattern}" for pattern in (*DOWNLOADED, SAFE, PICKLED) if pattern != "*.py"]
TRUE = ("1", "ON", "YES", "TRUE")  # of the client of the hub
INCIDENTAL = ("_name_or_path", "transformers_version")  # depend on who saved the model, not on the model


def model_folder(source: str | Path, revision: str | None = None, *, tokenizer_only: bool = False) -> Path:
    """Return the folder of a model: the source itself, or the snapshot of a hub model.

    A hub model in the local cache is used without asking the hub; one that is not there is downloaded, unless
    ``HF_HUB_OFFLINE`` is set.

    Parameters
    ----------
    source : str or Path
        A folder, or the id of a hub model.
    revision : str, optional
        Commit, tag or branch of the hub model; default: its main branch.
    tokenizer_only : bool, default False
        Whether a snapshot without weights is enough.

    Raises
    ------
    InputError
        If ``revision`` is given for a folder.
    StoreError
        If there is no such folder, or the model is neither in the cache nor on the hub.
    """
    place = Path(source).expanduser() if str(source) else None
    if place is not None and place.is_dir():
        if revision is not None:
            raise InputError(f"revision= is an option of hub models, but {source} is a folder")
        return place
    name = str(source).rstrip("/")
    if isinstance(source, Path) or not HUB_ID.fullmatch(name):
        raise StoreError(f"there is no model folder at {str(source) or repr(source)}")
    hub = importlib.import_module("huggingface_hub")
    cached = _cached(hub, name, revision)
    if cached is not None and not _lacking(cached, tokenizer_only):
        return cached
    try:
        return _downloaded(hub, name, revision, tokenizer_only)
    except Exception as error:  # network, permission, cache and name errors of several libraries
        raise StoreError(_unavailable(hub, name, revision, cached, tokenizer_only, error)) from error


def refuse_adapters(folder: Path) -> None:
    """Refuse a folder with an adapter, which would be left out or read by other code. Raises `InputError`."""
    found = _adapters(folder)
    if found:
        raise InputError(
            f"{folder} contains an adapter ({', '.join(found)}): merge it into the weights of its base model first "
            "(merge_and_unload in the package peft), and load the merged model"
        )


def code_folder(folder: Path, repository: str | None, file: str) -> Path:
    """Return the folder that contains a file of model code: that of the weights, or a snapshot of another hub model.

    Raises
    ------
    StoreError
        If it is neither beside the weights nor in the other repository.
    """
    if (folder / file).is_file():
        return folder
    if repository is None:
        raise StoreError(f"{folder} lacks {file}, the model code that config.json names")
    hub = importlib.import_module("huggingface_hub")
    problem = ""
    for local in (True, False):
        try:
            code = Path(hub.snapshot_download(repository, allow_patterns=["*.py"], local_files_only=local))
        except Exception as error:  # as in model_folder
            problem = first_line(error)
            continue
        if (code / file).is_file():
            return code
        problem = f"it has no {file}"
    raise StoreError(
        f"the code of the model in {folder}, {file}, is neither beside the weights nor available from {repository}: "
        f"{problem}"
    )


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json``.

    Raises
    ------
    StoreError
        If it is missing or damaged.
    InputError
        If an entry that loading depends on has the wrong type.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise StoreError(f"{folder} is not a Hugging Face model folder: it has no config.json")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {first_line(error)}") from error
    if not isinstance(config, dict):
        raise StoreError(f"{path} is damaged: it is not a JSON object")
    return checked_entries({name: value for name, value in config.items() if name not in INCIDENTAL})


def parts_of_index(index: Path) -> dict[str, str]:
    """Return the file of each weight according to an index of shards; `StoreError` if it is damaged."""
    try:
        parts = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{index} is damaged: it does not map weights to files") from error
    if not isinstance(parts, dict) or not parts or not all(part and isinstance(part, str) for part in parts.values()):
        raise StoreError(f"{index} is damaged: it does not map weights to files")
    return parts


def first_line(error: Exception) -> str:
    """Return the first line of an error message, or the type of an error without a message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _cached(hub: Any, source: str, revision: str | None) -> Path | None:
    """Return the snapshot in the local cache, which may be incomplete."""
    try:
        return Path(hub.snapshot_download(source, revision=revision, local_files_only=True))
    except Exception:  # not in the cache; errors of several libraries
        return None


def _adapters(folder: Path) -> list[str]:
    return sorted(path.name for pattern in ADAPTERS for path in folder.glob(pattern))


def _lacking(folder: Path, tokenizer_only: bool) -> str:
    """Return what a snapshot of a model or tokenizer lacks; empty if it is complete."""
    if tokenizer_only:
        return "" if any(path for pattern in TOKENIZERS for path in folder.glob(pattern)) else "a tokenizer"
    if _adapters(folder):
        return ""  # as for a damaged index, what is wrong is reported when the model is read
    if not (folder / "config.json").exists():
        return "config.json"
    return _lacking_weights(folder)


def _lacking_weights(folder: Path) -> str:
    for name in WEIGHT_FILES:
        if (folder / name).exists():
            return ""
        index = folder / f"{name}.index.json"
        if index.exists():
            try:
                parts: Iterable[str] = set(parts_of_index(index).values())
            except StoreError:
                return ""
            return next((part for part in sorted(parts) if not (folder / part).exists()), "")
    return "the weights"


def _downloaded(hub: Any, source: str, revision: str | None, tokenizer_only: bool) -> Path:
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in TRUE or hub.constants.HF_HUB_OFFLINE:
        raise OSError("HF_HUB_OFFLINE is set")
    wanted = [*DOWNLOADED, *([] if tokenizer_only else [SAFE])]
    for added in ([], [PICKLED]):  # the same weights as pickles only where there are no others
        wanted += added
        folder = Path(hub.snapshot_download(source, revision=revision, allow_patterns=wanted, ignore_patterns=LEFT_OUT))
        if tokenizer_only or not _lacking(folder, tokenizer_only):
            break
    return folder


def _unavailable(  # noqa: PLR0917
    hub: Any, source: str, revision: str | None, cached: Path | None, tokenizer_only: bool, error: Exception
) -> str:
    """Return why a model is not available."""
    if cached is not None:
        lacking = _lacking(cached, tokenizer_only)
        return (
            f"{source}: its snapshot {cached.name} in the local cache lacks {lacking}, which the hub did not provide: "
            f"{first_line(error)}"
        )
    snapshots = Path(hub.constants.HF_HUB_CACHE) / f"models--{source.replace('/', '--')}" / "snapshots"
    commits = sorted(path.name for path in snapshots.glob("*") if COMMIT.fullmatch(path.name))
    if commits:
        wanted = f"revision {revision!r}" if revision else "its main branch"
        one = "it" if len(commits) == 1 else "one of them"
        return (
            f"{source}: {wanted} is neither in the local cache nor available on the hub; the cache has "
            f"{', '.join(commits)}: specify {one} with revision="
        )
    return f"{source} is neither a folder nor an available model on the Hugging Face hub: {first_line(error)}"
