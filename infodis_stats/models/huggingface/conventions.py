"""Conventions that a checkpoint specifies: its mask, its special tokens and its longest input."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from estimators import InputError
from infodis_stats.models.huggingface.configuration import BLOCK_SIZES, LENGTHS, NESTED
from infodis_stats.models.huggingface.family import Family
from infodis_stats.models.huggingface.tokenizer import tokens_around

__all__ = ["find_block_size", "find_mask", "longest_input", "special_tokens"]

UNLIMITED = 10**6  # tokenizers without a maximum length report 1e30


def find_mask(family: Family, config: Mapping[str, Any], tokenizer: Any) -> int:
    """Return the mask id that the configuration, the tokenizer or the published architecture names.

    Raises
    ------
    InputError
        If none of them does, or two disagree; the mask is never guessed.
    """
    last = _last_token(config)
    ids = [config.get("mask_token_id"), getattr(tokenizer, "mask_token_id", None)]
    named = sorted({token for token in ids if token is not None})
    if family.mask == "last":
        named = [last]
    elif not named and family.name in {"mdlm", "bd3lm"}:
        named = [last]  # appended to those of a tokenizer that has no mask
    elif not named:
        named = _mask_by_word(family, tokenizer) or _published_mask(family, config)
    if len(named) > 1:
        raise InputError(
            f"config.json and the tokenizer specify different mask ids, {named[0]} and {named[1]}: specify the right "
            "one with mask_id="
        )
    if not named or named[0] < 0:
        raise InputError(
            "the mask token is unknown: neither config.json (mask_token_id) nor a tokenizer names it, and it is not "
            "guessed; specify it with mask_id="
        )
    return named[0]


def _mask_by_word(family: Family, tokenizer: Any) -> list[int]:
    if tokenizer is None:
        return []
    known = tokenizer.get_vocab()
    return [known[word] for word in family.mask_words if word in known][:1]


def _published_mask(family: Family, config: Mapping[str, Any]) -> list[int]:
    for architecture in config.get("architectures") or []:
        mask, vocabulary = family.published_masks.get(architecture, (-1, -1))
        if mask >= 0 and config.get("vocab_size") == vocabulary:
            return [mask]
    return []


def find_block_size(family: Family, config: Mapping[str, Any]) -> int | None:
    """Return the block size that a configuration names, for a family with blocks; None if it names none.

    Examples
    --------
    >>> find_block_size(Family(name="own", about="", block_sizes=(32,)), {"bd_size": 32})
    32
    """
    named = [config[name] for name in BLOCK_SIZES if config.get(name) is not None]
    return named[0] if named and family.block_sizes else None


def special_tokens(
    family: Family, tokenizer: Any, before: Sequence[int] | None, after: Sequence[int] | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the special tokens before and after every sequence: those given, otherwise those of the family.

    Raises
    ------
    InputError
        If the family takes them from a tokenizer with a mask, and there is none.
    """
    if before is None or after is None:
        usual = _usual_specials(family, tokenizer)
        before, after = usual[0] if before is None else before, usual[1] if after is None else after
    return tuple(map(int, before)), tuple(map(int, after))


def _usual_specials(family: Family, tokenizer: Any) -> tuple[Sequence[int], Sequence[int]]:
    if family.specials == "none":
        return (), ()
    if family.specials == "bos":
        # The configuration of Dream has the BOS of the model that it was made from: only the tokenizer's is right.
        bos = getattr(tokenizer, "bos_token_id", None)
        return (() if bos is None else (bos,)), ()
    if tokenizer is None or tokenizer.mask_token is None:
        raise InputError(
            f"family {family.name!r} needs a tokenizer with a mask token: specify one with tokenizer=, or the special "
            "tokens before and after a sequence with before= and after="
        )
    return tokens_around(tokenizer)


def longest_input(config: Mapping[str, Any], network: nn.Module, tokenizer: Any) -> int:
    """Return the longest input that the configuration, the tokenizer and the tables of the network allow.

    Raises
    ------
    InputError
        If nothing limits it.
    """
    parts = [config, *(config[name] for name in NESTED if isinstance(config.get(name), Mapping))]
    lengths = [part.get(name) for part in parts for name in LENGTHS]
    if getattr(tokenizer, "model_max_length", UNLIMITED) < UNLIMITED:
        lengths.append(tokenizer.model_max_length)
    for name, table in network.named_modules():
        weights = getattr(table, "weight", None)  # of an embedding, also of a quantised one
        if name.endswith("position_embeddings") and isinstance(weights, torch.Tensor) and weights.ndim == 2:
            # RoBERTa numbers positions from its padding id + 1.
            padding: Any = getattr(table, "padding_idx", None)
            lengths.append(len(weights) - (0 if padding is None else padding + 1))
    if config.get("model_type") == "big_bird" and config.get("attention_type", "block_sparse") == "block_sparse":
        # Sequences of at most this length, such as those of the probes, switch it to full attention permanently.
        lengths.append((5 + 2 * config.get("num_random_blocks", 3)) * config.get("block_size", 64))
    known = [length for length in lengths if length]
    if not known:
        raise InputError(f"config.json does not specify a maximum length ({', '.join(LENGTHS)})")
    return int(min(known))


def _last_token(config: Mapping[str, Any]) -> int:
    size, tokens = config.get("vocab_size"), config.get("tokens")
    return int(tokens or -1) if size is None else int(size) - 1
