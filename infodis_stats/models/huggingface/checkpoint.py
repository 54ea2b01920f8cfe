"""Model folders: reading the configuration and the weights, and building the network."""

import contextlib
import importlib
import json
import pickle
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from estimators import InfodisError
from infodis_stats.io.files import StoreError
from infodis_stats.models.huggingface.masked_model import first_line

__all__ = ["model_folder", "read_config", "read_network"]

HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
DOWNLOADED = ["*.json", "*.txt", "*.model", "*.py", "*.safetensors", "*.bin"]
WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # or the index of their shards, in this order
INCIDENTAL = ("_name_or_path", "transformers_version")  # depend on who saved the model, not on the model


def model_folder(source: str | Path, revision: str | None = None) -> Path:
    """Return the folder of a model: the source itself, or the local cache of a hub model.

    Raises
    ------
    StoreError
        If there is no such folder, and the hub does not provide such a model.
    """
    if Path(source).is_dir():
        return Path(source)
    if isinstance(source, Path) or not HUB_ID.fullmatch(source):
        raise StoreError(f"there is no model folder at {source}")
    hub = importlib.import_module("huggingface_hub")
    try:
        # Only the top folder: subfolders contain the same weights in other formats.
        files = hub.snapshot_download(source, revision=revision, allow_patterns=DOWNLOADED, ignore_patterns=["*/*"])
    except Exception as error:  # network, permission, cache and name errors of several libraries
        raise StoreError(
            f"{source} is neither a folder nor an available model on the Hugging Face hub: {first_line(error)}"
        ) from error
    return Path(files)


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


def read_network(transformers: Any, folder: Path, code: str | None, dtype: torch.dtype | None) -> nn.Module:
    """Build a network and load all its weights.

    Parameters
    ----------
    transformers : module
    folder : Path
    code : str or None
        ``"module.Class"`` of Python code in the folder, which is executed. None: a masked language model that
        transformers implements.
    dtype : torch.dtype, optional
        Dtype of the weights; None keeps the stored one.

    Raises
    ------
    StoreError
        If files are missing or damaged, contain pickled objects other than tensors, or lack weights of the network.
    """
    files = _weight_files(folder)
    try:
        if code is None:
            return _native_network(transformers, folder, dtype)
        return _network_with_code(transformers, folder, code, files, dtype)
    except InfodisError:
        raise
    except pickle.UnpicklingError as error:
        raise StoreError(
            f"{files[0]} is damaged, or it pickles objects other than tensors, which could execute code and is not "
            "allowed: convert it to safetensors"
        ) from error
    except Exception as error:  # third-party files and code may raise anything
        raise StoreError(f"the model in {folder} cannot be loaded: {first_line(error)}") from error


def _weight_files(folder: Path) -> list[Path]:
    for name in WEIGHTS:
        index = folder / f"{name}.index.json"
        if index.is_file():
            try:
                parts = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise StoreError(f"{index} is damaged: it does not map weights to files") from error
            return [folder / part for part in sorted(set(parts))]
        if (folder / name).is_file():
            return [folder / name]
    raise StoreError(f"{folder} has no weights ({' or '.join(WEIGHTS)})")


def _native_network(transformers: Any, folder: Path, dtype: torch.dtype | None) -> nn.Module:
    network: nn.Module
    network, loading = transformers.AutoModelForMaskedLM.from_pretrained(
        folder,
        dtype=dtype or "auto",
        local_files_only=True,
        weights_only=True,
        trust_remote_code=False,
        output_loading_info=True,
    )
    _check_complete(folder, loading["missing_keys"])
    return network


def _network_with_code(
    transformers: Any, folder: Path, code: str, files: list[Path], dtype: torch.dtype | None
) -> nn.Module:
    # Newer versions of transformers can run model code written for older ones but not load its weights.
    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=True, local_files_only=True)
        modules = importlib.import_module("transformers.dynamic_module_utils")
        network_class = modules.get_class_from_dynamic_module(code, str(folder), local_files_only=True)
        with _default_dtype(dtype or getattr(config, "dtype", None) or torch.float32):
            network: nn.Module = network_class(config)
    except Exception as error:  # third-party code may raise anything
        raise StoreError(
            f"the code of the model in {folder} failed ({type(error).__name__}: {first_line(error)}); "
            f"it may need another version of transformers than {transformers.__version__}"
        ) from error
    loaded: set[str] = set()
    for path in files:
        weights = _read_weights(path)
        network.load_state_dict(weights, strict=False)
        loaded |= weights.keys()
    # A tied parameter has several names and is saved under one of them.
    named = dict(network.named_parameters(remove_duplicate=False))
    filled = {id(weight) for name, weight in named.items() if name in loaded}
    _check_complete(folder, [name for name, weight in named.items() if id(weight) not in filled])
    return network


@contextlib.contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _read_weights(path: Path) -> dict[str, Tensor]:
    weights: dict[str, Tensor]
    if path.suffix == ".safetensors":
        weights = importlib.import_module("safetensors.torch").load_file(path)
    else:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    return weights


def _check_complete(folder: Path, missing: Collection[str]) -> None:
    if missing:
        raise StoreError(f"{folder} lacks weights of a masked language model: {', '.join(sorted(missing)[:3])}")
