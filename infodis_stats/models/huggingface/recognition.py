"""Recognition of the family of a checkpoint or network by its architecture, configuration and name."""

from collections.abc import Collection, Mapping
from typing import Any

from torch import nn

from estimators import InputError
from infodis_stats.models.huggingface.families import BLOCKS, FAMILIES, OWN_CLASS, REFUSED
from infodis_stats.models.huggingface.family import Family

__all__ = ["check_supported", "find_family", "refused_family", "refused_network"]

# Masked language models that are new in version 5 of transformers.
SINCE_5 = ("esmc", "eurobert", "gte", "jina_embeddings_v3", "nomic_bert", "ultrabert")
BLOCK_KEYS = ("block_size", "bd_size", "block_length")
OTHER_BLOCKS = Family(name="blocks", about="A network that predicts in blocks", refused=BLOCKS)

ARCHITECTURES = {name: family for family in (*FAMILIES.values(), *REFUSED.values()) for name in family.architectures}
MODEL_TYPES = {kind: family for family in (*FAMILIES.values(), *REFUSED.values()) for kind in family.model_types}


def refused_family(config: Mapping[str, Any]) -> Family | None:
    """Return the family of a configuration if it is refused, else None.

    Examples
    --------
    >>> refused_family({"model_type": "sdar", "architectures": ["SDARForCausalLM"]}).name
    'sdar'
    """
    family = _recognised(config)
    return family if family is not None and family.refused else None


def check_supported(network: nn.Module, config: Mapping[str, Any]) -> None:
    """Refuse a network whose plain call gives no likelihood, recognised by its classes or configuration.

    Raises
    ------
    InputError
        If it belongs to one of the `REFUSED` families.
    """
    family = refused_network(network, config)
    if family is not None:
        raise InputError(f"{family.about} cannot be used as a masked model: {family.refused}")


def refused_network(network: nn.Module, config: Mapping[str, Any]) -> Family | None:
    """Return the family of a network, by its classes or configuration, if it is refused, else None."""
    own: Any = getattr(network, "config", None)
    if hasattr(own, "to_dict"):
        own = own.to_dict()
    classes = [kind.__name__ for kind in type(network).__mro__]
    for named in (config, own, {"architectures": classes}):
        family = refused_family(named) if isinstance(named, Mapping) else None
        if family is not None:
            return family
    return None


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
    kind = str(config.get("model_type", "")).lower()
    architectures = [str(name) for name in config.get("architectures") or []]
    described = f"model type {kind!r} (architectures: {', '.join(architectures) or 'none'})"
    family = _recognised(config)
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


def _recognised(config: Mapping[str, Any]) -> Family | None:
    names = [str(name) for name in config.get("architectures") or []]
    known = next((ARCHITECTURES[name] for name in names if name in ARCHITECTURES), None)
    known = _by_keys(config, known) or known
    if known is not None:
        return known
    kind = str(config.get("model_type", "")).lower()
    if kind not in MODEL_TYPES and "tokens" in config and isinstance(config.get("model"), Mapping):
        return _score_network(config)
    return MODEL_TYPES.get(kind)


def _by_keys(config: Mapping[str, Any], named: Family | None) -> Family | None:
    """Return the family that keys of a configuration identify, whatever its architectures are called."""
    if "auto_map" in config and "backbone_config" in config:  # E2D2, whose trainer uses the names of other families
        return REFUSED["e2d2"]
    if str(config.get("dplm_type", "")).startswith("dplm2"):
        return REFUSED["dplm2"]
    languages = config.get("n_langs", 1) > 1 and config.get("use_lang_emb", True)
    if languages and config.get("model_type") in {"xlm", "flaubert"}:
        return REFUSED["xlm-languages"]
    refused = named is not None and named.refused
    if "auto_map" in config and not refused and any(config.get(key) for key in BLOCK_KEYS):
        return OTHER_BLOCKS
    return None


def _score_network(config: Mapping[str, Any]) -> Family:
    # RADD and SEDD are saved with the settings of their training scripts, not with a transformers configuration.
    if config["model"].get("type") == "ddit_wot":
        return FAMILIES["radd"]
    return FAMILIES["sedd"] if config.get("graph", {}).get("type") == "absorb" else REFUSED["sedd-uniform"]


def _is_a2d(config: Mapping[str, Any]) -> bool:
    kind = str(config.get("model_type", "")).lower()
    return kind.startswith("a2d-") or any(str(name).startswith("A2D") for name in config.get("architectures") or [])


def _a2d(folder: str, described: str) -> Family:
    if "bd3lm" in folder.lower():
        raise InputError(f"A2D, {described}, in {folder} cannot be used as a masked model: {BLOCKS}")
    if "mdlm" in folder.lower():
        return FAMILIES["a2d"]
    raise InputError(
        f"A2D, {described}: checkpoints trained with blocks (bd3lm) and without (mdlm) have the same config.json, and "
        "those with blocks would give wrong numbers; if this one was trained without blocks, pass family='a2d'"
    )
