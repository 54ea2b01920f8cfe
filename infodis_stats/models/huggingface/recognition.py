"""Recognition of the family of a checkpoint or network by its architecture, configuration and name."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from estimators import InputError
from infodis_stats.models.huggingface.configuration import BLOCK_SIZES, LENGTHS
from infodis_stats.models.huggingface.families import FAMILIES, OWN_CLASS, REFUSED
from infodis_stats.models.huggingface.family import Family

__all__ = ["as_mapping", "check_supported", "find_family", "recognised_family", "refused_family", "refused_network"]

# Masked language models that are new in version 5 of transformers.
SINCE_5 = ("esmc", "eurobert", "gte", "jina_embeddings_v3", "nomic_bert", "ultrabert")
NATIVE_WITH_BLOCKS = ("big_bird",)  # blocks of sparse attention, on both sides
WITH_BLOCKS = tuple(name for name, family in FAMILIES.items() if family.block_sizes)
OTHER_BLOCKS = Family(
    name="blocks",
    about="A network that predicts in blocks",
    refused=(
        "its configuration has a block size, so it is trained by block diffusion: a plain call shows each block the "
        "later ones; specify the family that predicts its blocks in the same way with family= "
        f"({', '.join(WITH_BLOCKS)})"
    ),
)

ARCHITECTURES = {name: family for family in (*FAMILIES.values(), *REFUSED.values()) for name in family.architectures}
MODEL_TYPES = {kind: family for family in (*FAMILIES.values(), *REFUSED.values()) for kind in family.model_types}


def refused_family(config: Mapping[str, Any], called: Family | None = None) -> Family | None:
    """Return the family of a configuration if it is refused, else None.

    Parameters
    ----------
    config : mapping
        The content of ``config.json``.
    called : Family, optional
        The family by whose convention the network is called: one without blocks is refused for a network with blocks,
        and one with blocks may be named for a network that only its block size identifies.

    Examples
    --------
    >>> refused_family({"model_type": "e2d2", "architectures": ["E2D2"]}).name
    'e2d2'
    """
    family = recognised_family(config)
    by_blocks = called is not None and bool(called.block_sizes)
    if family is None or (family is OTHER_BLOCKS and by_blocks):
        return None
    if family.block_sizes and called is not None and not by_blocks:
        reason = f"it is trained by block diffusion: use family={family.name!r}, with its block_size="
        return replace(family, about=family.about.partition(":")[0], refused=reason)
    return family if family.refused else None


def check_supported(network: nn.Module, config: Mapping[str, Any], length: int, called: Family) -> None:
    """Refuse a network whose plain call gives no likelihood, recognised by its classes or configuration.

    Raises
    ------
    InputError
        If it belongs to one of the `REFUSED` families, or to one with blocks and is called by one without.
    """
    family = refused_network(network, config, length, called)
    if family is not None:
        raise InputError(f"{family.about} cannot be used as a masked model: {family.refused}")


def refused_network(network: nn.Module, config: Mapping[str, Any], length: int, called: Family) -> Family | None:
    """Return the family of a network if it is one of those that are refused.

    The classes and configurations of all its modules are examined, since a network may be wrapped in others.
    """
    configurations = [config]
    for module in network.modules():
        own = as_mapping(getattr(module, "config", None))
        names = [kind.__name__ for kind in type(module).__mro__]
        configurations.append({"architectures": names, "cross_attn": own.get("cross_attn")})
        if own:
            configurations.append({"max_sequence_length": length} | dict(own))  # some call the length block_size
    families = (refused_family(one, called) for one in configurations)
    return next((family for family in families if family is not None), None)


def as_mapping(configuration: object) -> Mapping[str, Any]:
    """Return a configuration as a mapping, whatever kind of object it is; empty if it is none."""
    if isinstance(configuration, Mapping):
        return configuration
    own = vars(configuration) if hasattr(configuration, "__dict__") else {}
    try:
        return own | dict(configuration.to_dict())  # type: ignore[attr-defined]
    except Exception:  # third-party code may raise anything, or have no such method
        return own


def find_family(config: Mapping[str, Any], native: Collection[str] = (), folder: str = "") -> Family:
    """Recognise the family of a checkpoint by its ``config.json``.

    The architecture decides; the model type counts only if no known architecture is named.

    Parameters
    ----------
    config : mapping
        The content of ``config.json``.
    native : collection of str
        Model types that transformers implements as masked language models.
    folder : str, optional
        Name of the checkpoint: all that distinguishes the two kinds of A2D.

    Raises
    ------
    InputError
        If no family matches or the family is not supported; the message says what to do.

    Examples
    --------
    >>> find_family({"model_type": "Dream"}).name
    'dream'
    >>> find_family({"model_type": "albert", "architectures": ["AlbertForMaskedLM"]}, native={"albert"}).name
    'bert'
    """
    kind = _text(config.get("model_type")).lower()
    architectures = _architectures(config)
    described = f"model type {kind!r} (architectures: {', '.join(architectures) or 'none'})"
    family = recognised_family(config)
    if family is not None and family.refused:
        raise InputError(f"{family.about}, {described}, cannot be used as a masked model: {family.refused}")
    if family is not None:
        return family
    if _is_a2d(config):
        return _a2d(folder, described)
    if kind in native and not config.get("is_encoder_decoder"):
        return FAMILIES["bert"]
    if kind in SINCE_5:
        raise InputError(f"{described} needs transformers 5 or newer: pip install --upgrade transformers")
    raise InputError(
        f"{described} belongs to no known family: specify one with family= ({', '.join(FAMILIES)}), or {OWN_CLASS}"
    )


def recognised_family(config: Mapping[str, Any]) -> Family | None:
    """Return the family that a configuration names, supported or not; None if it names none that is known."""
    named = [ARCHITECTURES[name] for name in _architectures(config) if name in ARCHITECTURES]
    kind = _text(config.get("model_type")).lower()
    named += [MODEL_TYPES[kind]] if kind in MODEL_TYPES else []
    if any(family.name == "bd3lm" for family in named) and config.get("cross_attn") is False:
        return FAMILIES["mdlm"]  # the same code, trained without blocks
    named += _by_keys(config, with_blocks=any(family.block_sizes for family in named))
    if named:
        return _least_plain(named)
    if "tokens" in config and isinstance(config.get("model"), Mapping):
        return _score_network(config)
    return _nested(config)


def _least_plain(named: Sequence[Family]) -> Family:
    """Return the first family that is refused, else the first with blocks, else the first."""
    return min(named, key=lambda family: (not family.refused, not family.block_sizes))


def _architectures(config: Mapping[str, Any]) -> list[str]:
    names = config.get("architectures") or []
    return [names] if isinstance(names, str) else [str(name) for name in names] if isinstance(names, Iterable) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _by_keys(config: Mapping[str, Any], *, with_blocks: bool) -> list[Family]:
    """Return the families that keys of a configuration show, whatever its architectures are called."""
    families = []
    if "auto_map" in config and "backbone_config" in config:  # the trainer of E2D2, under the names of other families
        families.append(REFUSED["e2d2"])
    if _text(config.get("dplm_type")).startswith("dplm2"):
        families.append(REFUSED["dplm2"])
    if "p_uniform" in config:
        families.append(REFUSED["gidd"])
    many = config.get("n_langs")
    if isinstance(many, int) and many > 1 and config.get("use_lang_emb", True):
        families += [REFUSED["xlm-languages"]] if config.get("model_type") in {"xlm", "flaubert"} else []
    native = _text(config.get("model_type")) in NATIVE_WITH_BLOCKS
    if not native and not with_blocks and any(_is_block(config, key) for key in BLOCK_SIZES):
        families.append(OTHER_BLOCKS)
    return families


def _is_block(config: Mapping[str, Any], key: str) -> bool:
    """Return whether an entry is the size of blocks, and not the length of a sequence, which some trainers call so."""
    size, lengths = config.get(key), [config.get(name) for name in LENGTHS]
    longest = max((length for length in lengths if isinstance(length, int)), default=None)
    return isinstance(size, int) and size > 0 and (longest is None or size < longest)


def _nested(config: Mapping[str, Any]) -> Family | None:
    """Return the family, refused or with blocks, that a part of a configuration names, as in training scripts."""
    for part in config.values():
        if isinstance(part, Mapping):
            kind = _text(part.get("model_type")).lower() or _text(part.get("name")).lower()
            names = [ARCHITECTURES[name] for name in _architectures(part) if name in ARCHITECTURES]
            names += [MODEL_TYPES[kind]] if kind in MODEL_TYPES else []
            found = [family for family in names if family.refused or family.block_sizes]
            if found:
                return _least_plain(found)
    return None


def _score_network(config: Mapping[str, Any]) -> Family:
    # RADD and SEDD are saved with the settings of their training scripts, not with a transformers configuration.
    if config["model"].get("type") == "ddit_wot":
        return FAMILIES["radd"]
    graph = config.get("graph")
    absorbing = isinstance(graph, Mapping) and graph.get("type") == "absorb"
    return FAMILIES["sedd"] if absorbing else REFUSED["sedd-uniform"]


def _is_a2d(config: Mapping[str, Any]) -> bool:
    kind = _text(config.get("model_type")).lower()
    return kind.startswith("a2d-") or any(name.startswith("A2D") for name in _architectures(config))


def _a2d(folder: str, described: str) -> Family:
    folder = Path(folder).name
    if "bd3lm" in folder.lower():
        return FAMILIES["a2d-bd3lm"]
    if "mdlm" in folder.lower():
        return FAMILIES["a2d"]
    raise InputError(
        f"A2D, {described}: checkpoints trained with blocks (bd3lm) and without (mdlm) have the same config.json, and "
        "give wrong numbers as the other kind: specify family='a2d' if it was trained without blocks, or "
        "family='a2d-bd3lm' and its block_size="
    )
