"""Families of masked language models: the calling conventions that affect the likelihood."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from estimators import InputError

__all__ = ["FAMILIES", "Family", "absorbing_noise", "family_named", "find_family", "no_noise"]

MASK_RATES = (1e-3, 1 - 1e-3)  # range of the log-linear schedule in the training of SEDD and MDLM


def no_noise(masked: Tensor) -> Tensor:
    """Return zeros (batch,): the time input of a network that ignores it."""
    return torch.zeros(len(masked), device=masked.device)


def absorbing_noise(masked: Tensor) -> Tensor:
    """Return the total noise sigma whose expected masked fraction is that of each row, (batch,).

    An absorbing process masks a token with probability ``1 - exp(-sigma)``, so ``sigma = -log(1 - m/L)`` for ``m`` of
    ``L`` tokens masked. ``m/L`` is clipped to [0.001, 0.999], the range in training.

    Examples
    --------
    >>> import torch
    >>> absorbing_noise(torch.tensor([[True, False], [True, True]]))
    tensor([0.6931, 6.9078])
    """
    rate = masked.double().mean(dim=1).clamp(*MASK_RATES)
    return -torch.log1p(-rate).float()


@dataclass(frozen=True)
class Family:
    """How to call the networks of a family, and how to interpret their outputs.

    Attributes
    ----------
    name : str
    about : str
        One-line description.
    exclude_mask : bool
        Whether the mask has probability 0, that is, its logit is excluded from the softmax. The default of
        `load_huggingface`.
    shifted : bool
        Whether the logits for position ``i`` are at output ``i - 1``.
    noise : callable, optional
        Maps masks (batch, length) to the second argument of the network, (batch,), if it takes one.
    specials : {"none", "bos", "tokenizer"}
        Special tokens around every sequence: none, BOS in front, or those that the tokenizer adds.
    mask : {"named", "last"}
        The mask id: given by the configuration or the tokenizer, or always the last id.
    classes : tuple of str
        Keys of ``auto_map`` under which model code is searched, in this order.
    """

    name: str
    about: str
    exclude_mask: bool
    shifted: bool = False
    noise: Callable[[Tensor], Tensor] | None = None
    specials: Literal["none", "bos", "tokenizer"] = "none"
    mask: Literal["named", "last"] = "named"
    classes: tuple[str, ...] = ("AutoModel", "AutoModelForMaskedLM", "AutoModelForCausalLM")


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("llada", "LLaDA: plain logits, mask included in the softmax", exclude_mask=False),
        Family(
            "dream",
            "Dream, DiffuCoder: logits shifted by one position",
            exclude_mask=False,
            shifted=True,
            specials="bos",
        ),
        Family(
            "mdlm",
            "MDLM: unused time input, mask excluded from the softmax (SUBS)",
            exclude_mask=True,
            noise=no_noise,
            classes=("AutoModelForMaskedLM", "AutoModel"),
        ),
        Family("radd", "RADD: log-probabilities, no time input", exclude_mask=True, mask="last"),
        Family("sedd", "SEDD: log-scores given the total noise", exclude_mask=True, noise=absorbing_noise, mask="last"),
        Family(
            "bert",
            "BERT, RoBERTa, ALBERT, ESM and other masked language models with special tokens around the sequence",
            exclude_mask=False,
            specials="tokenizer",
            classes=("AutoModelForMaskedLM",),
        ),
    )
}
"""The families by name."""


def family_named(name: str) -> Family:
    """Return the family with a name; `InputError` if there is none."""
    if name not in FAMILIES:
        raise InputError(f"family must be one of {', '.join(FAMILIES)}, got {name!r}")
    return FAMILIES[name]


def find_family(config: Mapping[str, Any], native: Collection[str] = ()) -> Family:
    """Infer the family from the ``config.json`` of a model.

    Parameters
    ----------
    config : mapping
        The content of ``config.json``.
    native : collection of str
        Model types that transformers implements as masked language models.

    Raises
    ------
    InputError
        If no family matches; the message says what to implement.

    Examples
    --------
    >>> find_family({"model_type": "Dream"}).name, find_family({"architectures": ["AlbertForMaskedLM"]}).name
    ('dream', 'bert')
    """
    kind = str(config.get("model_type", "")).lower()
    architectures = config.get("architectures") or []
    if kind in FAMILIES and kind != "bert":
        return FAMILIES[kind]
    if "tokens" in config and isinstance(config.get("model"), Mapping):
        return _score_network(config)
    named = [*architectures, *config.get("auto_map", {})]
    masked = kind in native or any(name.endswith("ForMaskedLM") for name in named)
    if masked and not config.get("is_encoder_decoder"):
        return FAMILIES["bert"]
    raise InputError(
        f"model type {kind!r} (architectures: {', '.join(architectures) or 'none'}) belongs to no known family: "
        f"specify one with family= ({', '.join(FAMILIES)}), or write a class with the method "
        "token_nll(tokens, masked), which returns -log p of each masked token in nats and 0 elsewhere, (batch, length)"
    )


def _score_network(config: Mapping[str, Any]) -> Family:
    # RADD and SEDD are saved with the settings of their training scripts, not with a transformers configuration.
    if config["model"].get("type") == "ddit_wot":
        return FAMILIES["radd"]
    graph = config.get("graph", {}).get("type")
    if graph != "absorb":
        raise InputError(f"a score network with {graph!r} noise has no masks; only absorbing noise is supported")
    return FAMILIES["sedd"]
