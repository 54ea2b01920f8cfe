"""Model folders (local folders or snapshots of hub models) and their configuration."""

import importlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infodis_stats.io.files import StoreError

__all__ = ["TOKENIZERS", "code_folder", "first_line", "model_folder", "read_config"]

HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
COMMIT = re.compile(r"[0-9a-f]{40}")
# Subfolders often contain the same weights in other formats; only their code is needed.
WEIGHTS = ("*.safetensors", "*.bin")
TOKENIZERS = ("tokenizer*", "vocab*", "*.model")
DOWNLOADED = ["*.json", "*.txt", "*.model", "*.jinja", "*.py", *WEIGHTS]
LEFT_OUT = [f"*/{pattern}" for pattern in DOWNLOADED if pattern != "*.py"]
INCIDENTAL = ("_name_or_path", "transformers_version")  # depend on how the model was saved, not on the model


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
    StoreError
        If there is no such folder, or the model is neither in the cache nor on the hub.
    """
    if Path(source).is_dir():
        return Path(source)
    if isinstance(source, Path) or not HUB_ID.fullmatch(source):
        raise StoreError(f"there is no model folder at {source}")
    hub = importlib.import_module("huggingface_hub")
    cached = _cached(hub, source, revision)
    if cached is not None and not _lacking(cached, tokenizer_only):
        return cached
    wanted = [pattern for pattern in DOWNLOADED if not tokenizer_only or pattern not in WEIGHTS]
    try:
        files = hub.snapshot_download(source, revision=revision, allow_patterns=wanted, ignore_patterns=LEFT_OUT)
    except Exception as error:  # network, permission, cache and name errors of several libraries
        raise StoreError(_unavailable(hub, source, revision, cached, tokenizer_only, error)) from error
    return Path(files)


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
    """Read ``config.json``; `StoreError` if it is missing or damaged."""
    path = folder / "config.json"
    if not path.is_file():
        raise StoreError(f"{folder} is not a Hugging Face model folder: it has no config.json")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{path} is damaged: {first_line(error)}") from error
    if not isinstance(config, dict):
        raise StoreError(f"{path} is damaged: it is not a JSON object")
    return {name: value for name, value in config.items() if name not in INCIDENTAL}


def first_line(error: Exception) -> str:
    """Return the first line of an error message, or the type of an error without a message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _cached(hub: Any, source: str, revision: str | None) -> Path | None:
    """Return the snapshot in the local cache, which may be incomplete."""
    try:
        return Path(hub.snapshot_download(source, revision=revision, local_files_only=True))
    except Exception:  # not in the cache; errors of several libraries
        return None


def _lacking(folder: Path, tokenizer_only: bool) -> str:
    """Return what a snapshot of a model or tokenizer lacks; empty if it is complete."""
    if tokenizer_only:
        return "" if any(path for pattern in TOKENIZERS for path in folder.glob(pattern)) else "a tokenizer"
    if not (folder / "config.json").exists():
        return "config.json"
    for index in folder.glob("*.index.json"):
        try:
            parts: Mapping[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            return next((part for part in sorted(set(parts.values())) if not (folder / part).exists()), "")
        except (ValueError, KeyError, TypeError, AttributeError):
            return ""  # reading the weights reports it
    return "" if any(path for pattern in WEIGHTS for path in folder.glob(pattern)) else "the weights"


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
