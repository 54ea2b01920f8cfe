"""Weights of a checkpoint: finding the files, reading them, and checking that network and files agree."""

import importlib
import json
import pickle
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from infodis_stats.io.files import StoreError
from infodis_stats.models.huggingface.folder import first_line

__all__ = ["check_keys", "check_unquantised", "load_weights", "stored_dtype", "weight_files"]

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # or the indices of their shards, in this order
# Narrower types need scales.
WIDE = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# Tensors without effect on the logits: constants that are computed, and heads of other training objectives.
WITHOUT_EFFECT = re.compile(
    r"(^|\.)(inv_freq|position_ids|token_type_ids|masked_bias|attn\.bias|num_batches_tracked)$"
    r"|(^|\.)(pooler|seq_relationship|sop_classifier|contact_head)\.|^cls\.(?!predictions\.)"
)


def weight_files(folder: Path) -> list[Path]:
    """Return the files with the weights; `StoreError` if there are none."""
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


def check_unquantised(folder: Path, files: Iterable[Path]) -> None:
    """Check that all weights are floating-point numbers of at least 16 bits, from the headers of the files alone.

    Raises
    ------
    StoreError
        For the first weight that is not: its numbers mean nothing without scales that the network does not apply.
    """
    for path in files:
        for name, kind in _dtypes(path).items():
            if kind not in WIDE and not WITHOUT_EFFECT.search(name):
                raise StoreError(
                    f"{path}: weight {name} has type {kind}: the checkpoint is quantised, and its weights mean nothing "
                    "without their scales; use a checkpoint in bfloat16 or float32"
                )


def stored_dtype(files: Iterable[Path]) -> torch.dtype:
    """Return the dtype of most of the weights."""
    kinds = Counter(WIDE[kind] for path in files for kind in _dtypes(path).values() if kind in WIDE)
    return kinds.most_common(1)[0][0] if kinds else torch.float32


def load_weights(
    network: nn.Module, files: Iterable[Path], folder: Path, renamed: Mapping[str, str] | None = None
) -> None:
    """Load the weights of a network, one file at a time.

    Parameters
    ----------
    network : Module
    files : iterable of Path
    folder : Path
        For error messages.
    renamed : mapping of str to str, optional
        Prefixes of names in the files, and the prefixes that replace them in the network.

    Raises
    ------
    StoreError
        If a file is damaged or pickles objects other than tensors, or files and network do not agree.
    """
    loaded: set[str] = set()
    known = network.state_dict().keys()
    named = dict(network.named_parameters(remove_duplicate=False))
    for path in files:
        weights = {_name(name, renamed or {}): tensor for name, tensor in _read(path).items()}
        _check_tied(path, weights, named, loaded)
        try:
            network.load_state_dict(weights, strict=False)
        except RuntimeError as error:  # shapes
            raise StoreError(f"{path} does not fit the network: {' '.join(str(error).split())}") from error
        loaded |= weights.keys()
    _tie_head(network, loaded)
    # A tied parameter has several names and is saved under one of them.
    named = dict(network.named_parameters(remove_duplicate=False))
    filled = {id(weight) for name, weight in named.items() if name in loaded}
    missing = [name for name, weight in named.items() if id(weight) not in filled]
    buffers = [name for name, _ in network.named_buffers() if name in known and name not in loaded]
    check_keys(network, folder, missing + buffers, loaded - known)


def check_keys(network: nn.Module, folder: Path, missing: Collection[str], unexpected: Collection[str]) -> None:
    """Check that no weight of the network is missing, and that no weight of the files is left over.

    Computed constants and heads of other training objectives may be missing or left over. Those that are missing are
    set to 0, since the fingerprint should not depend on random initial values.

    Raises
    ------
    StoreError
        If weights are missing, or the network does not have them.
    """
    needed = sorted(name for name in missing if not WITHOUT_EFFECT.search(name))
    if needed:
        raise StoreError(f"{folder} lacks weights of a masked language model: {', '.join(needed[:3])}")
    left = sorted(name for name in unexpected if not WITHOUT_EFFECT.search(name))
    if left:
        raise StoreError(
            f"{folder} has {len(left)} weights that its network does not use, such as {', '.join(left[:3])}: "
            "config.json does not describe the network that was trained"
        )
    for name, weight in network.named_parameters():
        if name in missing:
            nn.init.zeros_(weight)


def _check_tied(
    path: Path, weights: Mapping[str, Tensor], named: Mapping[str, nn.Parameter], loaded: Collection[str]
) -> None:
    """Check that weights that the network ties are equal in the files: it would use the last one for all."""
    values = {id(named[name]): named[name].detach() for name in loaded if name in named}
    for name, tensor in weights.items():
        if name not in named:
            continue
        value = values.setdefault(id(named[name]), tensor)
        if value.shape == tensor.shape and not torch.equal(value, tensor.to(value)):
            raise StoreError(
                f"{path}: weight {name} differs from the one to which the network ties it: tie_word_embeddings should "
                "be false in config.json"
            )


def _tie_head(network: nn.Module, loaded: Collection[str]) -> None:
    """Tie the output head to the embedding if the files have only the embedding and the configuration says so.

    Some model code leaves this to the loading function of transformers.
    """
    if not getattr(getattr(network, "config", None), "tie_word_embeddings", False):
        return
    owner: Any = network
    try:
        table, head = owner.get_input_embeddings(), owner.get_output_embeddings()
    except (AttributeError, NotImplementedError):
        return
    names = {id(weight): name for name, weight in network.named_parameters()}
    if isinstance(table, nn.Embedding) and isinstance(head, nn.Linear) and names.get(id(head.weight)) not in loaded:
        head.weight = table.weight


def _read(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == ".safetensors":
        loaded: dict[str, Tensor] = importlib.import_module("safetensors.torch").load_file(path)
        return loaded
    try:
        weights: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise StoreError(
            f"{path} is damaged, or it pickles objects other than tensors, which could execute code and is not "
            f"allowed: convert it to safetensors ({first_line(error)})"
        ) from error
    if not isinstance(weights, Mapping) or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
        raise StoreError(f"{path} is damaged: it does not map names to tensors")
    return weights


def _name(stored: str, renamed: Mapping[str, str]) -> str:
    for beginning, name in renamed.items():
        if stored.startswith(beginning):
            return name + stored.removeprefix(beginning)
    return stored


def _dtypes(path: Path) -> dict[str, str]:
    """Return the dtype of each weight as safetensors names it, from the header of the file where it has one."""
    if path.suffix == ".safetensors":
        with importlib.import_module("safetensors").safe_open(path, framework="pt") as opened:
            return {name: opened.get_slice(name).get_dtype() for name in opened.keys()}  # noqa: SIM118
    names = {dtype: name for name, dtype in WIDE.items()}
    return {name: names.get(tensor.dtype, str(tensor.dtype)) for name, tensor in _read(path).items()}
