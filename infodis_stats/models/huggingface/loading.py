"""Loading of masked language models from a folder or the Hugging Face hub."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from estimators import InputError, ModelError
from estimators.evaluate import available_device
from infodis_stats.models.huggingface.conventions import find_block_size, find_mask, longest_input, special_tokens
from infodis_stats.models.huggingface.families import FAMILIES, family_named
from infodis_stats.models.huggingface.family import Family
from infodis_stats.models.huggingface.folder import model_folder, read_config, refuse_adapters
from infodis_stats.models.huggingface.masked_model import MaskedLanguageModel
from infodis_stats.models.huggingface.network import (
    DTYPES,
    floating,
    implemented,
    network_class,
    of_transformers,
    read_network,
)
from infodis_stats.models.huggingface.noised_family import NOISED_FAMILIES, NoisedFamily, noised_family_named
from infodis_stats.models.huggingface.noised_model import NoisedLanguageModel
from infodis_stats.models.huggingface.recognition import SINCE_5, find_family, recognised_family, refused_family
from infodis_stats.models.huggingface.tokenizer import read_tokenizer
from infodis_stats.models.probes import attention_pattern

__all__ = ["LoadingOptions", "find_noised_family", "load_huggingface", "load_noised", "open_checkpoint"]

STRATEGIES = ("auto", "balanced", "balanced_low_0", "sequential")  # of accelerate


def load_huggingface(
    source: str | Path,
    *,
    family: str | None = None,
    tokenizer: Any = None,
    mask_id: int | None = None,
    before: Sequence[int] | None = None,
    after: Sequence[int] | None = None,
    shifted: bool | None = None,
    exclude_mask: bool | None = None,
    guidance: float = 0.0,
    block_size: int | None = None,
    trust_remote_code: bool = False,
    device: torch.device | str = "cpu",
    device_map: str | int | Mapping[str, Any] | None = None,
    dtype: torch.dtype | str | None = None,
    revision: str | None = None,
) -> MaskedLanguageModel:
    """Load a masked language model in Hugging Face layout.

    Parameters
    ----------
    source : str or Path
        A folder, or the id of a model on the hub (``"GSAI-ML/LLaDA-8B-Base"``). A hub model in the local cache is used
        without asking the hub; otherwise it is downloaded, unless ``HF_HUB_OFFLINE`` is set.
    family : str, optional
        Calling convention, the name of one of the `FAMILIES`. Default: recognised by the configuration.
    tokenizer : str, Path or transformers tokenizer, optional
        Folder or hub id of the tokenizer if it is not stored with the weights (``"gpt2"`` for MDLM), or the tokenizer.
    mask_id : int, optional
        Token id of the mask. Default: that of the configuration, the tokenizer or the published architecture; it is
        never guessed.
    before, after : sequence of int, optional
        Special tokens before and after every sequence; they are never masked or scored, and sequences are passed
        without them. Default: those of the family in the tokenizer: BOS for ``dream``, which outputs the logits for the
        first token there, and CLS and SEP for ``bert``. ``()``: none.
    shifted : bool, optional
        Whether the logits for position ``i`` are at output ``i - 1``. Default: that of the family.
    exclude_mask : bool, optional
        Whether the mask is excluded from the softmax, that is, has probability 0. Default: that of the family, as in
        its training.
    guidance : float, default 0
        Scale of classifier-free guidance, as in `MaskedLanguageModel`.
    block_size : int, optional
        Positions of a block of a network trained by block diffusion. Default: that of the configuration, if it has one.
    trust_remote_code : bool, default False
        Whether to run Python code stored with the weights. LLaDA, Dream, MDLM and others require it.
    device : torch.device or str, default "cpu"
        Device of the weights.
    device_map : str, int or mapping, optional
        Distribution of the layers over devices as in transformers, for example ``"auto"`` or ``{"": 0}``, also as
        JSON; replaces ``device``. More than one device needs the package accelerate.
    dtype : torch.dtype or str, optional
        Dtype of the weights: float64, float32, bfloat16 or float16; default, and ``"auto"``: the stored one.
    revision : str, optional
        Commit, tag or branch of a hub model; a commit pins weights and code. A folder has none.

    Returns
    -------
    MaskedLanguageModel

    Raises
    ------
    InputError
        If transformers is not installed; the family is unknown or not supported; the mask is unknown, or the block size
        of a family with blocks; the weights are quantised, or an adapter is beside them; an entry of ``config.json``
        has the wrong type; loading requires ``trust_remote_code``; or the tokenizer does not match the network.
    StoreError
        If there is no such model, or its files are damaged, incomplete, pickle objects other than tensors, or contain
        weights that the network does not have or that are not finite.
    ModelError
        If the network cannot be called by the convention of its family, its predictions at a mask do not depend on the
        tokens on both sides, two identical calls differ, or a network of block diffusion cannot be shown its blocks.

    Examples
    --------
    >>> model = load_huggingface("facebook/esm2_t6_8M_UR50D")  # doctest: +SKIP
    >>> model.encode("MKTAYIAK").shape, model.longest  # doctest: +SKIP
    ((8,), 1022)
    """
    options = LoadingOptions(
        family=family,
        tokenizer=tokenizer,
        mask_id=mask_id,
        before=before,
        after=after,
        shifted=shifted,
        exclude_mask=exclude_mask,
        guidance=guidance,
        block_size=block_size,
        trust_remote_code=trust_remote_code,
        device=device,
        device_map=device_map,
        dtype=dtype,
        revision=revision,
    )
    model = open_checkpoint(source, options)
    if model.blocks is None:
        refuse_one_sided(model)
    return model


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadingOptions:
    """The keywords of `load_huggingface`."""

    family: str | None = None
    tokenizer: Any = None
    mask_id: int | None = None
    before: Sequence[int] | None = None
    after: Sequence[int] | None = None
    shifted: bool | None = None
    exclude_mask: bool | None = None
    guidance: float = 0.0
    block_size: int | None = None
    trust_remote_code: bool = False
    device: torch.device | str = "cpu"
    device_map: str | int | Mapping[str, Any] | None = None
    dtype: torch.dtype | str | None = None
    revision: str | None = None


def open_checkpoint(
    source: str | Path, options: LoadingOptions, kind: type[MaskedLanguageModel] = MaskedLanguageModel
) -> MaskedLanguageModel:
    """Load a model; with a ``kind`` other than `MaskedLanguageModel`, refused families too."""
    transformers = _transformers()
    folder = model_folder(source, options.revision)
    refuse_adapters(folder)
    config = read_config(folder)
    native = transformers.models.auto.modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    family = _family(config, options.family, native, str(source), accepts_all=kind is not MaskedLanguageModel)
    if family.name == "bert" and options.family is None and not of_transformers(transformers, config):
        raise InputError(
            f"architecture {', '.join(config['architectures'])} in config.json of {folder} is not one of transformers, "
            f"although its model type is ({config.get('model_type')}): if its network is called like that of BERT, "
            "pass family='bert'"
        )
    code = _code(transformers, folder, family, config, options.trust_remote_code)
    with _quiet(transformers):
        tokenizer = _tokenizer(transformers, folder, options)
        mask_id = find_mask(family, config, tokenizer) if options.mask_id is None else options.mask_id
        before, after = special_tokens(family, tokenizer, options.before, options.after)
        network = read_network(transformers, folder, config, code, _dtype(options.dtype), family=family)
        # Third-party code warns at its first calls, which are made here.
        return kind(
            _placed(network, options),
            family,
            mask_id=mask_id,
            length=longest_input(config, network, tokenizer),
            tokenizer=tokenizer,
            before=before,
            after=after,
            shifted=options.shifted,
            exclude_mask=options.exclude_mask,
            guidance=options.guidance,
            block_size=find_block_size(family, config) if options.block_size is None else options.block_size,
            config=config,
            name=_name(source, folder),
            revision=_commit(folder),
        )


def find_noised_family(source: str | Path, *, family: str | None = None, revision: str | None = None) -> str | None:
    """Return the family of score models to which a checkpoint belongs; None if it is for masks, or not known.

    Parameters
    ----------
    source, revision
        As in `load_huggingface`.
    family : str, optional
        The family that the user names: if it is one for masks, no other is sought.
    """
    if family is not None:
        return family if family in NOISED_FAMILIES else None
    _transformers()
    refused = refused_family(read_config(model_folder(source, revision)))
    return refused.name if refused is not None and refused.name in NOISED_FAMILIES else None


def load_noised(
    source: str | Path,
    *,
    family: str,
    tokenizer: Any = None,
    trust_remote_code: bool = False,
    device: torch.device | str = "cpu",
    device_map: str | int | Mapping[str, Any] | None = None,
    dtype: torch.dtype | str | None = None,
    revision: str | None = None,
) -> NoisedLanguageModel:
    """Load a language model for uniform or mixed noise in Hugging Face layout, as a score model.

    Parameters
    ----------
    source : str or Path
        A folder, or the id of a model on the hub.
    family : str
        One of the `NOISED_FAMILIES`.
    tokenizer, trust_remote_code, device, device_map, dtype, revision
        As in `load_huggingface`.

    Raises
    ------
    InputError, StoreError, ModelError
        As in `load_huggingface`, or as `NoisedLanguageModel` raises them.
    """
    transformers, kind = _transformers(), noised_family_named(family)
    folder = model_folder(source, revision)
    refuse_adapters(folder)
    config = read_config(folder)
    _refuse_another_family(config, kind)
    options = LoadingOptions(
        tokenizer=tokenizer, trust_remote_code=trust_remote_code, device=device, device_map=device_map
    )
    code = _code(transformers, folder, kind.recognised, config, trust_remote_code)
    with _quiet(transformers):
        used = _tokenizer(transformers, folder, options)
        network = read_network(transformers, folder, config, code, _dtype(dtype), family=kind.recognised)
        return NoisedLanguageModel(
            _placed(network, options),
            kind,
            length=longest_input(config, network, used),
            tokenizer=used,
            config=config,
            name=_name(source, folder),
            revision=_commit(folder),
        )


def _refuse_another_family(config: Mapping[str, Any], named: NoisedFamily) -> None:
    """Refuse a checkpoint that names a family other than the one that the user names. Raises `InputError`."""
    own = recognised_family(config)
    if own is not None and own.name != named.name:
        raise InputError(
            f"this is {own.about.partition(':')[0]} by its configuration, not {named.recognised.about}: leave out "
            f"family={named.name!r}"
        )


def _tokenizer(transformers: Any, folder: Path, options: LoadingOptions) -> Any:
    tokenizer = options.tokenizer
    if tokenizer is not None and not isinstance(tokenizer, str | Path):
        return tokenizer
    place = folder if tokenizer is None else model_folder(tokenizer, tokenizer_only=True)
    return read_tokenizer(transformers, place, options.trust_remote_code)


def _name(source: str | Path, folder: Path) -> str:
    return folder.resolve().name if Path(source).expanduser().is_dir() else Path(source).name


def refuse_one_sided(model: MaskedLanguageModel) -> None:
    """Refuse a network whose predictions at masks do not depend on the tokens on both sides. Raises `ModelError`."""
    attention = attention_pattern(model, cheap=True)
    if attention.pattern in {"causal", "block-causal"}:
        raise ModelError(
            f"the network of {model.name} is {attention}: a mask does not see the tokens after "
            f"{'it' if attention.pattern == 'causal' else 'its block'}, so it is not a masked model of whole "
            "sequences; specify the family that it was trained with (family=), or use its published code"
        )


def _transformers() -> Any:
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise InputError(
            'Hugging Face models need the package transformers: pip install "infodis-stats[hf]"'
        ) from error


@contextlib.contextmanager
def _quiet(transformers: Any) -> Iterator[None]:
    # read_network checks what transformers would report about the weights.
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _family(
    config: Mapping[str, Any], named: str | None, native: Collection[str], source: str, *, accepts_all: bool
) -> Family:
    called = None if named is None else FAMILIES.get(named)
    refused = refused_family(config, called)
    if refused is not None and accepts_all:
        return called if called is not None and refused.block_sizes else refused
    if refused is not None and refused.block_sizes:
        raise InputError(f"{refused.about} cannot be used as a masked model: {refused.refused}")
    if refused is not None or named is None:  # naming another family does not make a refused network usable
        return find_family(config, native, source)
    return family_named(named)


def _code(transformers: Any, folder: Path, family: Family, config: Mapping[str, Any], trusted: bool) -> str | None:
    """Return the class in the folder that builds the network; None if transformers implements it."""
    if family.name == "mdlm" and config.get("time_conditioning"):
        raise InputError(
            f"the MDLM in {folder} depends on time (time_conditioning in config.json), but masks have no time; use one "
            "without time conditioning"
        )
    code = network_class(config)
    if implemented(config) and (code is None or (not trusted and _replaceable(transformers, code, config))):
        return None
    if code is None:
        raise InputError(
            f"the config.json in {folder} names no model code (auto_map) for family {family.name!r}: build the network "
            f"with its authors' package and wrap it in {_wrapped(family)}"
        )
    if not trusted:
        raise InputError(
            f"the network in {folder} is defined by Python code stored with the weights ({code}), which is run only "
            "with trust_remote_code=True"
        )
    return code


def _wrapped(family: Family) -> str:
    if family.name in NOISED_FAMILIES:
        return f"NoisedLanguageModel(network, {family.name!r}, length=...)"
    return f"MaskedLanguageModel(network, {family.name!r}, mask_id=..., length=...)"


def _replaceable(transformers: Any, code: str, config: Mapping[str, Any]) -> bool:
    """Return whether the class of transformers is the network of a checkpoint that also has code."""
    if not config.get("architectures") or not of_transformers(transformers, config):
        return False
    # Under the same name code may differ, unless transformers adopted it.
    return code.rpartition(".")[2] not in config["architectures"] or config["model_type"] in SINCE_5


def _dtype(named: torch.dtype | str | None) -> torch.dtype | None:
    if named is None or named == "auto":
        return None
    dtype = floating(named)
    if dtype is None:
        raise InputError(f"dtype must be one of {DTYPES}, got {named!r}")
    return dtype


def _placed(network: nn.Module, options: LoadingOptions) -> nn.Module:
    """Move a network to its device, or distribute its layers over several."""
    if options.device_map is None:
        return network.to(available_device(options.device))
    layout = _layout(options.device_map)
    if isinstance(layout, str | int) and layout not in STRATEGIES:
        return network.to(_device(layout))
    try:
        accelerate = importlib.import_module("accelerate")
    except ImportError as error:
        raise InputError(
            f"device_map={layout!r} needs the package accelerate: pip install accelerate; or name one device"
        ) from error
    if isinstance(layout, str):
        unsplit = getattr(network, "_no_split_modules", None)
        memory = accelerate.utils.get_balanced_memory(network, no_split_module_classes=unsplit)
        layout = accelerate.infer_auto_device_map(network, max_memory=memory, no_split_module_classes=unsplit)
    placed: nn.Module = accelerate.dispatch_model(network, dict(layout))
    return placed


def _layout(given: Any) -> str | int | Mapping[str, Any]:
    """Return a device, a strategy, or a device for each of several layers; on the command line it is JSON."""
    layout = given
    if isinstance(given, str) and given.lstrip().startswith(("{", "[")):
        with contextlib.suppress(ValueError):
            layout = json.loads(given)
    if isinstance(layout, Mapping) and list(layout) == [""]:
        layout = layout[""]
    if isinstance(layout, torch.device):
        layout = str(layout)
    if isinstance(layout, bool) or not isinstance(layout, str | int | Mapping) or not (layout or layout == 0):
        raise InputError(
            "device_map must be a device, such as 0 or 'cuda:1', one of "
            f"{', '.join(STRATEGIES)}, or a mapping from layers to devices, got {given!r}"
        )
    return layout


def _device(named: str | int) -> torch.device:
    return available_device(f"cuda:{named}" if str(named).isdecimal() else str(named))


def _commit(folder: Path) -> str:
    """Return the commit of a snapshot in the cache of the hub; empty for any other folder."""
    return folder.name if folder.parent.name == "snapshots" else ""
