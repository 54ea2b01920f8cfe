"""Loading of masked language models from a folder or the Hugging Face hub."""

import contextlib
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from estimators import InputError
from infodis_stats.models.huggingface.checkpoint import model_folder, read_config, read_network
from infodis_stats.models.huggingface.families import Family, family_named, find_family
from infodis_stats.models.huggingface.masked_model import MaskedLanguageModel
from infodis_stats.models.huggingface.tokenizer import read_tokenizer, tokens_around

__all__ = ["load_huggingface"]

LENGTHS = ("max_position_embeddings", "max_sequence_length", "model_length", "n_positions")
LLADA_MASK = 126336
UNLIMITED = 10**6  # tokenizers without a maximum length report 1e30


def load_huggingface(
    source: str | Path,
    *,
    family: str | None = None,
    tokenizer: Any = None,
    exclude_mask: bool | None = None,
    specials: bool = True,
    trust_remote_code: bool = False,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    revision: str | None = None,
) -> MaskedLanguageModel:
    """Load a masked language model in Hugging Face layout.

    Parameters
    ----------
    source : str or Path
        A folder, or the id of a model on the hub (``"GSAI-ML/LLaDA-8B-Base"``), which is downloaded unless it is in
        the local cache.
    family : str, optional
        Calling convention: ``llada``, ``dream``, ``mdlm``, ``radd``, ``sedd`` or ``bert``. Default: found from the
        configuration.
    tokenizer : str, Path or transformers tokenizer, optional
        Folder or hub id of the tokenizer if it is not stored with the weights (``"gpt2"`` for MDLM), or the tokenizer.
    exclude_mask : bool, optional
        Whether the mask is excluded from the softmax, that is, has probability 0. Default: True for ``mdlm``, ``radd``
        and ``sedd``, False for ``llada``, ``dream`` and ``bert``, as in their training.
    specials : bool, default True
        Whether to put the special tokens of the family around every sequence: BOS in front for ``dream``, which outputs
        the logits for the first token there, and those of the tokenizer (CLS and SEP) for ``bert``. They are never
        masked or scored, and sequences are passed without them. If False, the first token of a sequence under ``dream``
        must be context.
    trust_remote_code : bool, default False
        Whether to run Python code stored with the weights. LLaDA, Dream and MDLM require it.
    device : torch.device or str, default "cpu"
        Device of the weights.
    dtype : torch.dtype, optional
        Dtype of the weights; default: the stored one.
    revision : str, optional
        Commit, tag or branch of a hub model; a commit pins weights and code.

    Returns
    -------
    MaskedLanguageModel

    Raises
    ------
    InputError
        If transformers is not installed, the family is unknown, the model has no mask token, loading requires
        ``trust_remote_code``, or the tokenizer does not match the network.
    StoreError
        If there is no such model, or its files are damaged, incomplete, or pickle objects other than tensors.
    ModelError
        If the network cannot be called in the way of its family.

    Examples
    --------
    >>> model = load_huggingface("facebook/esm2_t6_8M_UR50D")  # doctest: +SKIP
    >>> model.encode("MKTAYIAK").shape, model.longest  # doctest: +SKIP
    ((8,), 1022)
    """
    transformers = _transformers()
    folder = model_folder(source, revision)
    config = read_config(folder)
    native = transformers.models.auto.modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES
    kind = find_family(config, native) if family is None else family_named(family)
    code = _code(folder, kind, config, config.get("model_type") in native, trust_remote_code)
    with _quiet(transformers):
        if tokenizer is None or isinstance(tokenizer, str | Path):
            place = folder if tokenizer is None else model_folder(tokenizer)
            tokenizer = read_tokenizer(transformers, place, trust_remote_code)
        mask_id = _mask_id(kind, config, tokenizer)
        before, after = _specials(kind, config, tokenizer) if specials else ((), ())
        network = read_network(transformers, folder, code, dtype)
    return MaskedLanguageModel(
        network.to(device),
        kind,
        mask_id=mask_id,
        length=_length(config, network, tokenizer),
        tokenizer=tokenizer,
        before=before,
        after=after,
        exclude_mask=exclude_mask,
        config=config,
        name=Path(source).name,
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


def _code(folder: Path, family: Family, config: Mapping[str, Any], native: bool, trusted: bool) -> str | None:
    """Return the class in the folder that builds the network; None if transformers implements it."""
    if family.name == "mdlm" and config.get("time_conditioning"):
        raise InputError(
            f"the MDLM in {folder} depends on time (time_conditioning in config.json), but masks have no time"
        )
    classes = config.get("auto_map", {})
    code = next((str(classes[name]) for name in family.classes if name in classes), None)
    if native and (code is None or not trusted):
        return None
    if code is None:
        raise InputError(
            f"the config.json in {folder} names no model code (auto_map) for family {family.name!r}: build the network "
            f"with its authors' package and wrap it in MaskedLanguageModel(network, {family.name!r}, mask_id=..., "
            "length=...)"
        )
    if not trusted:
        raise InputError(
            f"the network in {folder} is defined by Python code stored with the weights ({code}), which is run only "
            "with trust_remote_code=True"
        )
    return code


def _mask_id(family: Family, config: Mapping[str, Any], tokenizer: Any) -> int:
    last = int(config.get("vocab_size", config.get("tokens", -1) + 1)) - 1
    ids = [config.get("mask_token_id"), getattr(tokenizer, "mask_token_id", None)]
    named = sorted({int(token) for token in ids if token is not None})
    if family.mask == "last":
        named = [last]
    elif not named and family.name == "mdlm":
        named = [last]  # appended to the tokens of a tokenizer without a mask
    elif not named and family.name == "llada" and last >= LLADA_MASK:
        named = [LLADA_MASK]
    if len(named) > 1:
        raise InputError(f"config.json and the tokenizer specify different mask ids, {named[0]} and {named[1]}")
    if not named or named[0] < 0:
        raise InputError(
            "the model has no mask token: neither config.json (mask_token_id) nor a tokenizer specifies it"
        )
    return named[0]


def _specials(family: Family, config: Mapping[str, Any], tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if family.specials == "bos":
        # The tokenizer takes precedence: the configuration of Dream has the BOS of the model it was initialised from.
        bos = getattr(tokenizer, "bos_token_id", None)
        bos = config.get("bos_token_id") if bos is None else bos
        return (() if bos is None else (int(bos),)), ()
    if family.specials == "none":
        return (), ()
    if tokenizer is None or tokenizer.mask_token is None:
        raise InputError(f"family {family.name!r} needs a tokenizer with a mask token: specify one with tokenizer=")
    return tokens_around(tokenizer)


def _length(config: Mapping[str, Any], network: nn.Module, tokenizer: Any) -> int:
    lengths = [config.get(name) for name in LENGTHS]
    if isinstance(config.get("model"), Mapping):
        lengths.append(config["model"].get("length"))
    if getattr(tokenizer, "model_max_length", UNLIMITED) < UNLIMITED:
        lengths.append(tokenizer.model_max_length)
    for name, table in network.named_modules():
        if name.endswith("position_embeddings") and isinstance(table, nn.Embedding):
            # RoBERTa numbers positions from its padding id + 1.
            lengths.append(table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1))
    known = [int(length) for length in lengths if length]
    if not known:
        raise InputError(f"config.json does not specify a maximum length ({', '.join(LENGTHS)})")
    return min(known)
