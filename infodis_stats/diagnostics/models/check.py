"""The check of a model: all findings, an overall verdict, and the options to load the model with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from estimators import InfodisError, InputError
from estimators.model import prices_masks
from infodis_stats.diagnostics.models.alternatives import convention_findings
from infodis_stats.diagnostics.models.computation import computation_findings
from infodis_stats.diagnostics.models.limits import described_error, drift_check, length_findings
from infodis_stats.diagnostics.models.network import CALL_CHECKS, NETWORK_CHECKS, family_finding
from infodis_stats.diagnostics.models.texts import TEXT_CHECKS
from infodis_stats.diagnostics.models.trial import Check, Finding, Trial, make_trial
from infodis_stats.diagnostics.verdict import Diagnosis, Verdict, Word, concise
from infodis_stats.models import MaskedLanguageModel
from infodis_stats.models.huggingface.folder import model_folder, read_config
from infodis_stats.models.huggingface.loading import LoadingOptions, open_checkpoint
from infodis_stats.models.huggingface.masked_model import UncheckedModel
from infodis_stats.models.huggingface.recognition import refused_family
from infodis_stats.models.loading import HUGGING_FACE, load_model
from infodis_stats.notebook import paragraphs

__all__ = ["ModelCheck", "check_checkpoint", "check_model"]


DIGITS = re.compile(r"\d+")  # the same error names other shapes in other checks


@dataclass(frozen=True, eq=False)
class ModelCheck:
    """What a model does, and whether its losses are likelihoods.

    Attributes
    ----------
    model : str
        Description of the model.
    diagnosis : Diagnosis
        One verdict per check, worst first.
    measured : mapping of str to object
        What was found: ``attention``, ``block_size``, ``deterministic``, ``shifted``, ``best_mask_id``,
        ``best_before`` and ``best_after`` (None if they could not be measured), ``best_block_size``, ``mask_cost`` and
        more.
    options : mapping of str to object
        The conventions that the model was loaded with, as `load_huggingface` takes them; empty for other models.
    dependence : array of int8, shape (length, length), optional
        Which loss depends on which token: 1 in row ``j``, column ``i`` if the loss at ``i`` changes with the token at
        ``j``, 0 if not, -1 if that was not measured.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> check = ids.check_model(ids.load_model("austen"))
    >>> check.verdict, check.measured["attention"]
    ('fine', 'bidirectional')
    """

    model: str
    diagnosis: Diagnosis
    measured: Mapping[str, Any]
    options: Mapping[str, Any]
    dependence: NDArray[np.int8] | None = None

    @property
    def verdict(self) -> Word:
        """The worst verdict."""
        return self.diagnosis.verdict

    @property
    def overall(self) -> str:
        """The overall verdict in a sentence, with its reasons."""
        return self.diagnosis.overall

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per check, worst first."""
        return self.diagnosis.to_dataframe()

    def __repr__(self) -> str:
        """Return the description and the overall verdict."""
        return f"<ModelCheck of {self.model}: {self.verdict}>"

    def _repr_html_(self) -> Markup:
        notes = [self.loading] if self.options else []
        return paragraphs([self.model]) + self.diagnosis._repr_html_() + paragraphs(notes)

    def __str__(self) -> str:
        """Return the description, the verdicts and the options."""
        options = f"\n\n{self.loading}" if self.options else ""
        return f"{self.model}\n\n{self.diagnosis}{options}"

    @property
    def loading(self) -> str:
        """The options to load the model with, as keywords."""
        return "options: " + ", ".join(f"{name}={value!r}" for name, value in self.options.items())


def check_model(
    model: Any,
    texts: Sequence[str] | None = None,
    *,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
    **options: Any,
) -> ModelCheck:
    """Examine what a model does by calling it a few dozen times, and say whether its losses are likelihoods.

    On random tokens and on texts it finds: whether identical calls agree, at the end as at the beginning and at the
    longest input; whether losses depend on tokens that are masked, or on the other rows of a batch; overflow; the
    attention pattern, by changing one token at a time, and whether it is that of the blocks that the model declares;
    whether probabilities are normalised; how far orders disagree; whether the fingerprint is stable. For a
    `MaskedLanguageModel` it also finds: whether its losses are those of the plain computation; whether another mask,
    other special tokens around the texts, another shift of the logits or another block size predict texts better; how
    much probability the mask takes; whether time matters; the effect of padding; the error of half precision. For a
    model with a tokenizer: whether texts survive encoding and decoding, and whether prompt and response meet where a
    token ends. An error that the model raises becomes a verdict.

    Parameters
    ----------
    model : ConditionalModel, str or Path
        Anything that can be scored; or the name of a model, as `load_model` takes it. By name, checkpoints that
        `load_model` refuses are examined too.
    texts : sequence of str, optional
        Texts that the model should know; the mask, the special tokens and the shift can only be measured on such texts.
        Default: a dozen English sentences, or proteins for a model of proteins.
    seed : int, default 0
        Seed of the random tokens and masks.
    progress : callable, optional
        Called with 1 after every check.
    **options
        For a model given by its name: as in `load_model`.

    Returns
    -------
    ModelCheck

    Raises
    ------
    InputError
        If the model has no ``token_nll`` or cannot encode the given texts, or the seed is negative.

    See Also
    --------
    diagnose : Check a result.

    Notes
    -----
    A block-diffusion network that is called without its block-causal mask is bidirectional, and no call shows that it
    was trained otherwise: such networks are recognised by class and configuration. Block sizes are compared on the last
    tokens of texts, which have the same visible tokens under either; texts are cut to 32 tokens.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> print(ids.check_model(ids.load_model("austen")).overall)  # doctest: +ELLIPSIS
    fine: no problems found in ... checks.
    """
    if isinstance(model, str | Path):
        return _check_named(str(model), options, texts, seed=seed, progress=progress)
    if options:
        raise InputError(f"{next(iter(options))}= is an option of models given by their names")
    if not prices_masks(model):
        raise InputError(
            f"{type(model).__name__} has no token_nll(tokens, masked): check is for models that price masked tokens"
        )
    trial = make_trial(model, texts, seed)
    findings = []
    for finding in _findings(trial):
        findings.append(finding)
        if progress is not None:
            progress(1)
    measured = {name: value for finding in findings for name, value in finding.values.items()}
    described = model.describe() if hasattr(model, "describe") else type(model).__qualname__
    options = model.conventions() if isinstance(model, MaskedLanguageModel) else {}
    matrix = measured.pop("dependence", None)
    return ModelCheck(described, Diagnosis([finding.verdict for finding in findings]), measured, options, matrix)


def _check_named(name: str, options: Mapping[str, Any], texts: Sequence[str] | None, **settings: Any) -> ModelCheck:
    if name.startswith(HUGGING_FACE):
        loading = {option: value for option, value in options.items() if option != "allow_import"}
        unknown = loading.keys() - LoadingOptions.__dataclass_fields__.keys()
        if unknown:
            raise InputError(f"{min(unknown)}= is no option of load_model")
        source = name.removeprefix(HUGGING_FACE)
        return check_checkpoint(source, LoadingOptions(**loading), texts, **settings)
    return check_model(load_model(name, **options), texts, **settings)


def check_checkpoint(
    source: str | Path,
    options: LoadingOptions,
    texts: Sequence[str] | None = None,
    *,
    seed: int = 0,
    progress: Callable[[int], object] | None = None,
) -> ModelCheck:
    """Examine a checkpoint, even one that `load_huggingface` refuses.

    Parameters
    ----------
    source : str or Path
        As in `load_huggingface`.
    options : LoadingOptions
    texts, seed, progress
        As in `check_model`.

    Raises
    ------
    InputError, StoreError, ModelError
        If it cannot be loaded for a reason other than its family.
    """
    try:
        model = open_checkpoint(source, options, UncheckedModel)
    except InfodisError as error:
        family = refused_family(read_config(model_folder(source, options.revision)))
        if family is None:
            raise
        failed = Verdict("call", "do not use", f"it could not be called: {error}")
        finding = family_finding(family)
        described = f"{family.name} {Path(source).name}"
        return ModelCheck(described, Diagnosis([finding.verdict, failed]), finding.values, {})
    return check_model(model, texts, seed=seed, progress=progress)


def _findings(trial: Trial) -> Iterator[Finding]:
    groups: list[Mapping[str, Check]] = [CALL_CHECKS]
    if isinstance(trial.model, MaskedLanguageModel):
        own = {"computation": computation_findings, "conventions": convention_findings}
        groups += [NETWORK_CHECKS, own]
    # A failed call can make all later ones fail on an accelerator, so the longest ones are the last.
    groups += [TEXT_CHECKS, {"drift": drift_check(trial), "length": length_findings}]
    failed: dict[str, tuple[str, list[str]]] = {}
    for name, examine in (entry for group in groups for entry in group.items()):
        try:
            yield from examine(trial)
        except Exception as error:  # models of others may raise anything
            problem = described_error(error)
            failed.setdefault(DIGITS.sub("", problem), (problem, []))[1].append(name)
    for problem, names in failed.values():
        yield Finding(Verdict("call", "do not use", f"calls fail in the checks {concise(names)}: {problem}"))
