"""A network for uniform or mixed noise with the calling conventions of its family, as a score model of text."""

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from estimators import InfodisError, InputError, ModelError, Noise, TokenError
from infodis_stats.models.huggingface.arguments import check_integer
from infodis_stats.models.huggingface.folder import first_line
from infodis_stats.models.huggingface.head import agree, largest_difference, logits_of
from infodis_stats.models.huggingface.noised_family import NoisedFamily, noised_family_named
from infodis_stats.models.huggingface.pretrained import PretrainedNetwork
from infodis_stats.models.huggingface.recognition import as_mapping
from infodis_stats.models.losses import HALF, kind_of

__all__ = ["NoisedLanguageModel"]

SHORT = 4
MODERATE = 1.0  # total noise of the probes


class NoisedLanguageModel(PretrainedNetwork):
    """A language model of a known family that was trained with uniform or mixed noise; a ``ScoreModel``.

    `load_model` constructs one from a folder. Use the class directly for a network whose code comes from elsewhere,
    such as SEDD's.

    Its likelihood is the bound of the score entropy, for the ratios that its training loss implies. The network is told
    how much noise there is in the way of its family. Beyond the ends of its training that argument is held at the end,
    while the ratios follow the noise to where nothing is left of the text. The bound holds for any ratios, so schedules
    that end in pure noise, such as ``polynomial``, are right for all families and leave no remainder.

    Context is shown clean beside noised tokens. The bound holds there too, but published networks were trained with
    noise everywhere, so that their bound of text after a context may be loose.

    Parameters
    ----------
    network : Module
        Called as ``network(tokens, time)``. It is set to evaluation mode and stays on its device.
    family : str or NoisedFamily
        Calling convention: ``"udlm"``, ``"duo"``, ``"gidd"``, ``"sedd-uniform"``, or a custom family.
    length : int
        Longest input of the network.
    tokenizer : transformers tokenizer, optional
        Required by `encode` and `decode`.
    config : mapping, optional
        Description of the network, as part of the fingerprint, from which its noise follows. Default: the attribute
        ``config`` of the network.
    name : str, optional
        Name in tables; not part of the fingerprint.
    revision : str, optional
        Commit of a model from the hub, for the attributes of results; not part of the fingerprint.

    Attributes
    ----------
    noise : Noise
        The noise that the network was trained for.
    trained_noise : tuple of float
        The least and the most total noise of its training; schedules that are mostly outside are refused.
    vocabulary : int
        Number of outputs of the network.
    vocabulary_size : int
        Number of clean symbols: the mask of mixed noise, the last output, is not one.
    longest : int
        Longest sequence in tokens, context included.
    exact_length : bool
        Whether the network takes sequences of this length alone.

    Raises
    ------
    InputError
        If the family is not known, or cannot be used with this configuration, or the vocabularies of tokenizer and
        network do not match.
    ModelError
        If the network cannot be called by the convention of the family, or two identical calls differ.

    Examples
    --------
    >>> class Letters(torch.nn.Module):  # logits over 4 letters
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.embedding, self.head = torch.nn.Embedding(4, 8), torch.nn.Linear(8, 4)
    ...     def forward(self, tokens, total_noise):
    ...         return self.head(self.embedding(tokens).mean(dim=1, keepdim=True) + self.embedding(tokens))
    >>> model = NoisedLanguageModel(Letters(), "duo", length=16)
    >>> import infodis_stats as ids
    >>> result = ids.estimate_nll(model, [[0, 3, 1]], passes=32)
    >>> result["estimator"].item()
    'score-entropy(uniform,polynomial)+stratified'
    """

    def __init__(
        self,
        network: nn.Module,
        family: str | NoisedFamily,
        *,
        length: int,
        tokenizer: Any = None,
        config: Mapping[str, Any] | None = None,
        name: str = "",
        revision: str = "",
    ) -> None:
        self.network = network.eval()
        self.family = noised_family_named(family) if isinstance(family, str) else family
        self.config = dict(as_mapping(getattr(network, "config", None)) if config is None else config)
        problem = self.family.problem(self.config)
        if problem:
            raise InputError(f"this {self.family.recognised.about} cannot be used as a score model: {problem}")
        self.noise: Noise = self.family.noise(self.config)
        self.trained_noise = self.family.trained(self.noise, self.config)
        self.tokenizer, self.name, self.revision = tokenizer, name, revision
        self.longest = check_integer("length", length)
        if self.longest < 1:
            raise InputError(f"length must be at least 1, got {length}")
        parameter = next(network.parameters(), torch.zeros(()))
        self._device, self._dtype = parameter.device, parameter.dtype
        self.vocabulary, self.exact_length = self._probe()
        self.vocabulary_size = self.vocabulary - (self.noise.states(2) - 2)
        self._check_tokenizer(self.vocabulary)
        self._check_mask()

    @property
    def kind(self) -> str:
        """Name of its family."""
        return self.family.name

    def conventions(self) -> dict[str, Any]:
        """Return the choices other than the weights that affect the likelihood, as results record them."""
        return {
            "family": self.family.name,
            "noise": self.noise.name,
            "outputs": self.family.outputs,
            "context": "clean",
            "dtype": kind_of(self._dtype),
        }

    def log_ratios(self, noised: Tensor, acts: Tensor, total_noise: Tensor, noise: Noise) -> Tensor:
        """Return the log score ratios of all sequences that differ in one position.

        Parameters
        ----------
        noised : Tensor of int64, shape (batch, length)
            States, on any device: symbols, and under mixed noise the mask, which is the last.
        acts : Tensor of bool, shape (batch, length)
            Where noise acts; the ratios elsewhere mean nothing.
        total_noise : Tensor of float64, shape (batch,)
        noise : Noise
            That of the network.

        Returns
        -------
        Tensor of float32 (float64 for a network in float64), shape (batch, length, states)
            ``log p_t(y) - log p_t(x)``, on the device of the states; 0 for the state that is there.

        Raises
        ------
        InputError
            If the sequences are longer than `longest`, or shorter where the network takes no others, or the noise is
            not its own.
        TokenError
            If a state is not one of the noise.
        ModelError
            If the network overflows in half precision.
        """
        self._check(noised, noise)
        device = noised.device
        noised, amounts = noised.to(self._device), total_noise.to(self._device)
        time = self.family.time(amounts.clamp(*self.trained_noise), noise)
        outputs = self._outputs(noised, time)[..., : self.vocabulary_size]
        if self._dtype in HALF and not torch.isfinite(outputs).all():
            raise ModelError(f"the network overflowed in {kind_of(self._dtype)}; use dtype=torch.float32")
        return self.family.ratios(outputs, noised, amounts, time, noise).to(device)

    def _check(self, noised: Tensor, noise: Noise) -> None:
        length, states = noised.shape[1], self.noise.states(self.vocabulary_size)
        if noise != self.noise:
            raise InputError(f"the network was trained for {self.noise.name} noise, not for {noise.name} noise")
        if length > self.longest:
            raise InputError(f"a sequence of {length} tokens exceeds the model's maximum of {self.longest}")
        if self.exact_length and length != self.longest:
            raise InputError(
                f"the code of this network takes sequences of exactly {self.longest} tokens, got {length}: add given "
                "tokens, such as padding, as context"
            )
        wrong = (noised < 0) | (noised >= states)
        if wrong.any():
            row, position = wrong.nonzero()[0].tolist()
            raise TokenError(row, position, f"state {noised[row, position]} is not one of {states} states")

    def _outputs(self, states: Tensor, time: Tensor) -> Tensor:
        """Return the raw outputs (batch, length, vocabulary), at least in float32."""
        with torch.no_grad(), warnings.catch_warnings():
            if "auto_map" in self.config:  # deprecations concern the authors of the code
                warnings.simplefilter("ignore")
            outputs = logits_of(self.network(states, time.float()))
        return outputs if outputs.dtype == torch.float64 else outputs.float()

    def _probe(self) -> tuple[int, bool]:
        """Return the number of outputs, and whether shorter inputs fail; refuse a network that cannot be called."""
        failed: Exception | None = None
        for length in sorted({min(SHORT, self.longest), self.longest}):
            try:
                return self._probed(length), failed is not None
            except InfodisError:
                raise
            except Exception as error:  # third-party code may raise anything
                failed = error
        assert failed is not None
        raise ModelError(
            f"the network cannot be called by the convention of family {self.family.name!r}: {first_line(failed)}"
        ) from failed

    def _probed(self, length: int) -> int:
        states = torch.arange(length, device=self._device)[None] % 2
        amounts = torch.full((1,), MODERATE, dtype=torch.float64, device=self._device)
        time = self.family.time(amounts.clamp(*self.trained_noise), self.noise)
        first, second = (self._outputs(states, time)[0].to(self._dtype) for _ in range(2))
        if not agree(first, second):
            raise ModelError(
                f"two identical calls of the network differ by {largest_difference(first, second):.2g} nats: it adds "
                "its own noise, or its dropout is active in evaluation mode, so it has no likelihood"
            )
        return first.shape[1]

    def _check_mask(self) -> None:
        """Refuse a tokenizer whose mask is not the last output of a network for mixed noise. Raises `InputError`."""
        named = getattr(self.tokenizer, "mask_token_id", None)
        if self.vocabulary_size < self.vocabulary and named not in {None, self.vocabulary_size}:
            raise InputError(
                f"the mask of {self.noise.name} noise is the last of the network's {self.vocabulary} outputs, but the "
                f"tokenizer's is {named}"
            )
