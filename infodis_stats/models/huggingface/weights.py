"""Weights of a checkpoint: finding the files, reading them, and checking that network and files agree."""

import importlib
import pickle
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from infodis_stats.io.files import StoreError
from infodis_stats.models.huggingface.folder import WEIGHT_FILES, first_line, parts_of_index
from infodis_stats.models.huggingface.head import logits_of

__all__ = ["Header", "check_finite", "check_keys", "check_unquantised", "load_weights", "read_header", "weight_files"]

# Narrower numbers need scales.
WIDE = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# Names of constants that networks compute, and of heads of other training objectives.
CONSTANTS = re.compile(r"(^|\.)(inv_freq|position_ids|token_type_ids|num_batches_tracked|masked_bias|attn\.bias)$")
CONSTANT_RANKS = {"masked_bias": 0, "bias": 4}  # a parameter of the same name has another number of dimensions
OTHER_HEADS = re.compile(r"(^|\.)(pooler|seq_relationship|sop_classifier|contact_head)\.|^cls\.(?!predictions\.)\w+\.")
POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Stored:
    """Dtype, as safetensors names it, and number of dimensions of a weight in a file."""

    dtype: str
    rank: int


Header = Mapping[Path, Mapping[str, Stored]]
"""What the files of a checkpoint contain."""


def weight_files(folder: Path) -> list[Path]:
    """Return the files with the weights, in the order of transformers: a single file before shards.

    Raises
    ------
    StoreError
        If there are none, or the index of the shards is damaged or names files that are missing.
    """
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            files = [folder / part for part in sorted(set(parts_of_index(index).values()))]
            absent = next((file for file in files if not file.is_file()), None)
            if absent is not None:
                raise StoreError(f"{folder} lacks {absent.name}, which {index.name} names")
            return files
    raise StoreError(f"{folder} has no weights ({' or '.join(WEIGHT_FILES)})")


def read_header(folder: Path) -> Header:
    """Return dtype and number of dimensions of each weight, by file.

    Raises
    ------
    StoreError
        If files are missing or damaged, a weight is in two of them, or not in that which the index names.
    """
    header = {path: _header(path) for path in weight_files(folder)}
    places: dict[str, Path] = {}
    for path, weights in header.items():
        for name in weights:
            if name in places:
                raise StoreError(f"{folder}: weight {name} is stored twice, in {places[name].name} and {path.name}")
            places[name] = path
    index = folder / f"{'pytorch_model.bin' if _pickled(header) else 'model.safetensors'}.index.json"
    if folder / index.name.removesuffix(".index.json") not in header:
        for name, part in parts_of_index(index).items():
            if places.get(name) != folder / part:
                raise StoreError(f"{index} is damaged: weight {name} is not in {part}")
    return header


def check_unquantised(header: Header, network: nn.Module | None = None) -> None:
    """Check that the weights are floating-point numbers of at least 16 bits.

    Parameters
    ----------
    header : mapping
        What the files contain.
    network : Module, optional
        The network that gets them, of which integers and truth values may be integers and truth values in the files.

    Raises
    ------
    StoreError
        For the first weight that is not: its numbers mean nothing without scales that the network does not apply.
    """
    own = {} if network is None else network.state_dict()
    for path, weights in header.items():
        for name, stored in weights.items():
            exact = name in own and not own[name].is_floating_point()
            if stored.dtype not in WIDE and not exact and not _constant(name, stored.rank):
                raise StoreError(
                    f"{path}: weight {name} has type {stored.dtype}: the checkpoint is quantised, and its weights mean "
                    "nothing without their scales; use the checkpoint in bfloat16 or float32"
                )


def stored_dtype(header: Header) -> torch.dtype:
    """Return the dtype of most of the weights."""
    kinds = Counter(
        WIDE[stored.dtype] for weights in header.values() for stored in weights.values() if stored.dtype in WIDE
    )
    return kinds.most_common(1)[0][0] if kinds else torch.float32


def load_weights(network: nn.Module, header: Header, folder: Path, renamed: Mapping[str, str] | None = None) -> None:
    """Load the weights of a network, one file at a time.

    Parameters
    ----------
    network : Module
    header : mapping
        What the files contain.
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
    header = {
        path: {_name(name, renamed or {}): stored for name, stored in weights.items()}
        for path, weights in header.items()
    }
    check_unquantised(header, network)
    for path in header:
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
    check_keys(network, folder, missing + buffers, loaded - known, header)


def check_keys(
    network: nn.Module, folder: Path, missing: Collection[str], unexpected: Collection[str], header: Header
) -> None:
    """Check that no weight of the network is missing, and that none is left over.

    Buffers that are computed may be missing, and heads of other training objectives on which the logits do not depend;
    their parameters are set to 0, since the fingerprint should not depend on random initial values. Both may be left
    over, if the network does not have what they belong to.

    Raises
    ------
    StoreError
        If weights are missing, or the network does not have them.
    """
    parameters = dict(network.named_parameters(remove_duplicate=False))
    heads = {name: parameters[name] for name in missing if name in parameters and OTHER_HEADS.search(name)}
    needed = {name for name in missing if name not in heads and (name in parameters or not CONSTANTS.search(name))}
    if heads and not needed and not _without_effect(network, list(heads.values())):
        needed = set(heads)
    if needed:
        raise StoreError(f"{folder} lacks weights of a masked language model: {', '.join(sorted(needed)[:3])}")
    ranks = {name: stored.rank for weights in header.values() for name, stored in weights.items()}
    modules = dict(network.named_modules())
    left = sorted(name for name in unexpected if not _may_be_left(name, ranks.get(name), modules))
    if left:
        raise StoreError(
            f"{folder} has {len(left)} weights that its network does not use, such as {', '.join(left[:3])}: "
            "config.json does not describe the network that was trained"
        )


def check_finite(network: nn.Module, folder: Path) -> None:
    """Check that all weights are finite numbers. Raises `StoreError` for the first that is not."""
    for name, weight in network.named_parameters():
        if not torch.isfinite(weight).all():
            kind = str(weight.dtype).removeprefix("torch.")
            wider = "; use dtype='float32'" if weight.dtype == torch.float16 else ""
            raise StoreError(f"{folder}: weight {name} has values that are not finite in {kind}{wider}")


def _constant(name: str, rank: int | None) -> bool:
    if CONSTANTS.search(name) is None:
        return False
    wanted = CONSTANT_RANKS.get(name.rpartition(".")[2])
    return wanted is None or rank is None or rank == wanted


def _may_be_left(name: str, rank: int | None, modules: Collection[str]) -> bool:
    if _constant(name, rank):
        return True
    return OTHER_HEADS.search(name) is not None and name.rpartition(".")[0] not in modules


@torch.no_grad()
def _without_effect(network: nn.Module, parameters: Collection[nn.Parameter]) -> bool:
    """Set parameters to 0; return whether the logits of a small input are the same with other values."""
    training = network.training
    network.eval()
    generator = torch.Generator().manual_seed(0)
    inputs = torch.arange(1, 9)[None] % 5
    try:
        for weight in parameters:
            weight.copy_(torch.randn(weight.shape, generator=generator))
        changed = logits_of(network(inputs))
        for weight in parameters:
            weight.zero_()
        return torch.equal(changed, logits_of(network(inputs)))
    except Exception:  # code of others, called without what its family adds
        return False
    finally:
        network.train(training)


def _check_tied(
    path: Path, weights: Mapping[str, Tensor], named: Mapping[str, nn.Parameter], loaded: Collection[str]
) -> None:
    """Check that weights that the network ties are equal in the files: it would use the last one for all."""
    values = {id(named[name]): named[name].detach() for name in loaded if name in named}
    for name, tensor in weights.items():
        if name not in named:
            continue
        value = values.setdefault(id(named[name]), tensor)
        if value is not tensor and value.shape == tensor.shape and not torch.equal(value, tensor.to(value)):
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
    _refuse_pointer(path)
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


def _refuse_pointer(path: Path) -> None:
    with path.open("rb") as opened:
        if opened.read(len(POINTER)) == POINTER:
            raise StoreError(f"{path} is a pointer of Git LFS and not the file itself: run git lfs pull in its folder")


def _pickled(header: Header) -> bool:
    return not any(path.suffix == ".safetensors" for path in header)


def _header(path: Path) -> dict[str, Stored]:
    _refuse_pointer(path)
    if path.suffix == ".safetensors":
        with importlib.import_module("safetensors").safe_open(path, framework="pt") as opened:
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
            return {name: Stored(part.get_dtype(), len(part.get_shape())) for name, part in slices.items()}
    names = {dtype: name for name, dtype in WIDE.items()}
    return {
        name: Stored(names.get(tensor.dtype, str(tensor.dtype)), tensor.dim()) for name, tensor in _read(path).items()
    }
