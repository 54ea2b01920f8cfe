"""Families of masked language models: the calling conventions that change the number."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from estimators import InputError

__all__ = ["FAMILIES", "Family", "absorbing_noise", "family_named", "find_family", "no_noise"]

MASK_RATES = (1e-3, 1 - 1e-3)  # of the log-linear schedule that SEDD and MDLM are trained with


def no_noise(masked: Tensor) -> Tensor:
    """Return a zero for each row, (batch,): the time of a network that is not to look at it."""
    return torch.zeros(len(masked), device=masked.device)


def absorbing_noise(masked: Tensor) -> Tensor:
    """Return the total noise sigma at which a token is masked with the probability seen in its row, (batch,).

    An absorbing process masks with probability ``1 - exp(-sigma)``, so ``sigma = -log(1 - m/L)`` for ``m`` of ``L``
    tokens masked, with ``m/L`` held within [0.001, 0.999], the levels of training.

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
    """How the networks of a family are called, and what their outputs mean.

    Attributes
    ----------
    name : str
    about : str
        One line for people.
    exclude_mask : bool
        Whether the mask has no probability: its logit is left out of the softmax. The default of `load_huggingface`.
    shifted : bool
        Whether the logits for position ``i`` stand at ``i - 1``.
    noise : callable, optional
        From masks (batch, length) to the second argument of the network, (batch,), where it takes one.
    specials : {"none", "bos", "tokenizer"}
        What stands around every sequence: nothing, BOS in front, or what the tokenizer adds.
    mask : {"named", "last"}
        Where the id of the mask comes from: named by configuration or tokenizer, or always the last one.
    classes : tuple of str
        Keys of ``auto_map`` under which model code is looked for, in this order.
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
        Family("llada", "LLaDA: plain logits, the mask in the softmax", exclude_mask=False),
        Family(
            "dream", "Dream, DiffuCoder: logits one position early", exclude_mask=False, shifted=True, specials="bos"
        ),
        Family(
            "mdlm",
            "MDLM: logits that take a time and ignore it, the mask ruled out (SUBS)",
            exclude_mask=True,
            noise=no_noise,
            classes=("AutoModelForMaskedLM", "AutoModel"),
        ),
        Family("radd", "RADD: log-probabilities without time", exclude_mask=True, mask="last"),
        Family("sedd", "SEDD: log-scores at a noise level", exclude_mask=True, noise=absorbing_noise, mask="last"),
        Family(
            "bert",
            "BERT, RoBERTa, ALBERT, ESM ...: masked language models with special tokens around the sequence",
            exclude_mask=False,
            specials="tokenizer",
            classes=("AutoModelForMaskedLM",),
        ),
    )
}
"""The families by name."""


def family_named(name: str) -> Family:
    """Return the family of a name; `InputError` if there is none."""
    if name not in FAMILIES:
        raise InputError(f"family needs to be one of {', '.join(FAMILIES)}, got {name!r}")
    return FAMILIES[name]


def find_family(config: Mapping[str, Any], native: Collection[str] = ()) -> Family:
    """Tell the family from a model's ``config.json``.

    Parameters
    ----------
    config : mapping
        The content of ``config.json``.
    native : collection of str
        Model types that transformers itself knows as masked language models.

    Raises
    ------
    InputError
        If no family fits; says what to implement.

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
        f"model type {kind!r} (architectures: {', '.join(architectures) or 'none named'}) is of no family known here: "
        f"name one with family= ({', '.join(FAMILIES)}), or write a class of ten lines with the method "
        "token_nll(tokens, masked), which returns -log p of each masked token in nats and 0 elsewhere, (batch, length)"
    )


def _score_network(config: Mapping[str, Any]) -> Family:
    # RADD and SEDD are saved with the settings of their training script instead of a transformers configuration.
    if config["model"].get("type") == "ddit_wot":
        return FAMILIES["radd"]
    graph = config.get("graph", {}).get("type")
    if graph != "absorb":
        raise InputError(f"a score network with {graph!r} noise has no masks: only absorbing noise can be scored here")
    return FAMILIES["sedd"]
