"""From a folder or a hub id to a text model."""

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
UNLIMITED = 10**6  # a tokenizer that knows no length says 10^30


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
    """Load a masked language model in the Hugging Face layout.

    Parameters
    ----------
    source : str or Path
        A folder, or the id of a model on the hub (``"GSAI-ML/LLaDA-8B-Base"``), which is downloaded unless it is in
        the local cache.
    family : str, optional
        One of `FAMILIES`: ``llada``, ``dream``, ``mdlm``, ``radd``, ``sedd``, ``bert``. None: found from the
        configuration.
    tokenizer : str, Path or tokenizer of transformers, optional
        Where the tokenizer is if it does not lie with the weights (``"gpt2"`` for MDLM), or the tokenizer itself.
    exclude_mask : bool, optional
        Whether the mask is left out of the softmax; None takes the family's convention. See `MaskedLanguageModel`.
    specials : bool, default True
        Put the special tokens of the family around every sequence: BOS in front for ``dream``, where the logits for the
        first token stand, and what the tokenizer adds (CLS and SEP) for ``bert``. They are never masked or scored, and
        sequences are given without them. False gives the network the sequences as they are; the first token of
        ``dream`` can then be context only.
    trust_remote_code : bool, default False
        Run the Python code that lies with the weights. LLaDA, Dream and MDLM cannot be loaded without.
    device : torch.device or str, default "cpu"
    dtype : torch.dtype, optional
        Of the weights; None takes the one they are stored in.
    revision : str, optional
        Commit, tag or branch of a hub model; a commit pins weights and code.

    Returns
    -------
    MaskedLanguageModel

    Raises
    ------
    InputError
        If transformers is not installed, the family is unknown, the model has no mask token, code would have to be run
        without permission, or tokenizer and network do not fit.
    StoreError
        If there is no such model, its files are damaged or incomplete, or are pickles of more than tensors.
    ModelError
        If the network cannot be called as its family says.

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
    # What it reports about the weights is checked here, and ends in one sentence or in nothing.
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
    """Return the class in the folder that makes the network, None if it is one of transformers itself."""
    if family.name == "mdlm" and config.get("time_conditioning"):
        raise InputError(
            f"the MDLM in {folder} looks at the time (time_conditioning), which a set of masks does not have"
        )
    classes = config.get("auto_map", {})
    code = next((str(classes[name]) for name in family.classes if name in classes), None)
    if native and (code is None or not trusted):
        return None
    if code is None:
        raise InputError(
            f"{folder} names no model code (auto_map) for family {family.name!r}: build the network with its authors' "
            f"package and wrap it, MaskedLanguageModel(network, {family.name!r}, mask_id=..., length=...)"
        )
    if not trusted:
        raise InputError(
            f"the network in {folder} is Python code beside the weights ({code}), which is run only with "
            "trust_remote_code=True"
        )
    return code


def _mask_id(family: Family, config: Mapping[str, Any], tokenizer: Any) -> int:
    last = int(config.get("vocab_size", config.get("tokens", -1) + 1)) - 1
    ids = [config.get("mask_token_id"), getattr(tokenizer, "mask_token_id", None)]
    named = sorted({int(token) for token in ids if token is not None})
    if family.mask == "last":
        named = [last]
    elif not named and family.name == "mdlm":
        named = [last]  # it is put behind the tokens of a tokenizer that has no mask
    elif not named and family.name == "llada" and last >= LLADA_MASK:
        named = [LLADA_MASK]
    if len(named) > 1:
        raise InputError(f"config.json and the tokenizer name different masks, {named[0]} and {named[1]}")
    if not named or named[0] < 0:
        raise InputError("the model has no mask token: neither config.json (mask_token_id) nor a tokenizer names one")
    return named[0]


def _specials(family: Family, config: Mapping[str, Any], tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if family.specials == "bos":
        # The tokenizer's first: Dream's configuration still names that of the model it was made from.
        bos = getattr(tokenizer, "bos_token_id", None)
        bos = config.get("bos_token_id") if bos is None else bos
        return (() if bos is None else (int(bos),)), ()
    if family.specials == "none":
        return (), ()
    if tokenizer is None or tokenizer.mask_token is None:
        raise InputError(f"family {family.name!r} needs a tokenizer with a mask: name one with tokenizer=")
    return tokens_around(tokenizer)


def _length(config: Mapping[str, Any], network: nn.Module, tokenizer: Any) -> int:
    lengths = [config.get(name) for name in LENGTHS]
    if isinstance(config.get("model"), Mapping):
        lengths.append(config["model"].get("length"))
    if getattr(tokenizer, "model_max_length", UNLIMITED) < UNLIMITED:
        lengths.append(tokenizer.model_max_length)
    for name, table in network.named_modules():
        if name.endswith("position_embeddings") and isinstance(table, nn.Embedding):
            # RoBERTa counts positions from behind its padding id.
            lengths.append(table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1))
    known = [int(length) for length in lengths if length]
    if not known:
        raise InputError(f"config.json does not say how long a sequence may be ({', '.join(LENGTHS)})")
    return min(known)
