"""A network with the calling conventions of its family, as a text model."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from estimators import InfodisError, InputError, ModelError, TokenError
from infodis_stats.models.huggingface.families import Family, family_named
from infodis_stats.models.huggingface.head import ScoredTokens, find_head, full_losses, lean_losses, logits_of
from infodis_stats.models.losses import check_overflow

__all__ = ["MaskedLanguageModel"]

FULL_LOGITS = 2**27  # logits per call if the head cannot be separated: 512 MB in float32


class MaskedLanguageModel:
    """A masked language model of a known family; a `TextModel`.

    `load_huggingface` constructs one from a folder. Use the class directly for a network whose code comes from
    elsewhere, such as the published RADD and SEDD weights.

    Sequences are passed without special tokens. Those in ``before`` and ``after`` are put around each sequence for the
    network; they are never masked or scored. All rows of a call have equal length, so there is no padding.

    If the last layer of the network computes the logits (``lean``), only masked positions pass through it, in chunks.
    Logits have the dtype of the network, and log-sum-exps are computed in float32. The losses of a row agree across
    batches, within 1e-5 nats for a float32 network.

    Parameters
    ----------
    network : Module
        Called by the convention of the family. It is set to evaluation mode and stays on its device.
    family : str or Family
        Calling convention: ``llada``, ``dream``, ``mdlm``, ``radd``, ``sedd``, ``bert``, or a custom `Family`.
    mask_id : int
        Token id of the mask.
    length : int
        Longest input of the network, special tokens included.
    tokenizer : transformers tokenizer, optional
        Required by `encode` and `decode`.
    before, after : sequence of int, default none
        Special tokens around every sequence.
    exclude_mask : bool, optional
        Whether the mask is excluded from the softmax, that is, has probability 0. This affects the likelihood. Default:
        True for ``mdlm``, ``radd`` and ``sedd``; False for ``llada``, ``dream`` and ``bert``, which are trained with
        the mask in the softmax. Other special tokens and unused outputs are always included.
    config : mapping, optional
        Description of the network, as part of the fingerprint.
    name : str, optional
        Name in tables; not part of the fingerprint.

    Attributes
    ----------
    head : Linear or None
        The layer that computes the logits; None if it cannot be separated.
    lean : bool
        Whether only masked positions pass through the head.
    longest : int
        Longest sequence in tokens, context included and special tokens excluded.
    vocabulary : int
        Number of outputs of the network.

    Raises
    ------
    InputError
        If the mask is not a token of the network, the vocabularies of tokenizer and network do not match, the length
        leaves no room for a sequence, or ``exclude_mask`` is False for ``radd`` or ``sedd``, whose last output is not a
        probability.
    ModelError
        If the network cannot be called by the convention of the family.

    Notes
    -----
    A ``sedd`` network returns log-scores: ``log s(x)_{i,v}`` estimates the log of
    ``p(x_i = v | unmasked) / (exp(sigma) - 1)`` at a masked position ``i`` ([1]_, Theorem 1). The conditional
    distribution is the softmax of the log-scores over all tokens except the mask, in which the factor cancels. Two
    approximations enter. First, a masked sequence has no time, so ``sigma`` is the total noise whose expected masked
    fraction equals that of the row, context included: ``sigma = -log(1 - m/L)`` for ``m`` of ``L`` tokens masked.
    Second, the scores of a trained network do not sum exactly to ``1 / (exp(sigma) - 1)``. If their sum is ``Z`` times
    that value, the bound of the score entropy loss has an additional term ``Z - 1 - log(Z) >= 0`` per token, which is
    not included here.

    References
    ----------
    .. [1] J. Ou et al. (2024), Your absorbing discrete diffusion secretly models the conditional distributions of clean
       data, arXiv 2406.03736.

    Examples
    --------
    >>> import torch
    >>> class Letters(torch.nn.Module):  # logits over 4 letters and the mask
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.embedding, self.head = torch.nn.Embedding(5, 8), torch.nn.Linear(8, 5)
    ...     def forward(self, tokens):
    ...         return self.head(self.embedding(tokens).cumsum(dim=1))
    >>> model = MaskedLanguageModel(Letters(), "llada", mask_id=4, length=16)
    >>> model.token_nll(torch.tensor([[0, 3, 1]]), torch.tensor([[True, False, True]])).shape, model.lean
    (torch.Size([1, 3]), True)
    """

    def __init__(
        self,
        network: nn.Module,
        family: str | Family,
        *,
        mask_id: int,
        length: int,
        tokenizer: Any = None,
        before: Sequence[int] = (),
        after: Sequence[int] = (),
        exclude_mask: bool | None = None,
        config: Mapping[str, Any] | None = None,
        name: str = "",
    ) -> None:
        self.network = network.eval()
        self.family = family_named(family) if isinstance(family, str) else family
        self.mask_id = mask_id
        self.exclude_mask = self.family.exclude_mask if exclude_mask is None else exclude_mask
        if self.family.mask == "last" and not self.exclude_mask:
            raise InputError(
                f"exclude_mask must be True for family {self.family.name!r}: its last output is not a probability"
            )
        self.tokenizer = tokenizer
        self.before, self.after = tuple(before), tuple(after)
        self.config = dict(config or {})
        self.name = name
        self._length = length
        if self.longest < 1:
            raise InputError(
                f"a length of {length} leaves no room for tokens next to {len(before) + len(after)} special tokens"
            )
        parameter = next(network.parameters(), torch.zeros(()))
        self._device, self._dtype = parameter.device, parameter.dtype
        self._hashed: tuple[list[tuple[int, int]], str] | None = None
        self.vocabulary, self.head = self._probe()
        self._check_vocabulary()

    @property
    def lean(self) -> bool:
        """Whether only masked positions pass through the output head."""
        return self.head is not None

    @property
    def longest(self) -> int:
        """Longest sequence in tokens, context included and special tokens excluded."""
        return self._length - len(self.before) - len(self.after)

    def token_nll(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Return the negative log-likelihood of each masked token given the unmasked tokens of its row.

        Parameters
        ----------
        tokens : Tensor of int64, shape (batch, length)
            Complete sequences without special tokens, on any device.
        masked : Tensor of bool, shape (batch, length)

        Returns
        -------
        Tensor of float32, shape (batch, length)
            Nats at masked positions, 0 elsewhere, on the device of the tokens.

        Raises
        ------
        TokenError
            If a token is outside the vocabulary or is the mask, a sequence includes special tokens that are added here,
            or the first position is masked in a model with shifted logits and no BOS.
        InputError
            If the sequences are longer than `longest`.
        ModelError
            If the network overflows in half precision.
        """
        self._check(tokens, masked)
        device = tokens.device
        tokens, masked = tokens.to(self._device), masked.to(self._device)
        result = torch.zeros(tokens.shape, device=self._device)
        for start in range(0, len(tokens), self._rows_per_call(tokens)):
            rows = slice(start, start + self._rows_per_call(tokens))
            result[rows][masked[rows]] = self._losses(tokens[rows], masked[rows])
        check_overflow(result, self._dtype, "dtype=torch.float32")
        return result.to(device)

    def encode(self, text: str) -> NDArray[np.int64]:
        """Convert text to tokens, int64 of shape (length,), without special tokens.

        Raises
        ------
        InputError
            If there is no tokenizer, or it does not know a part of the text.
        """
        tokens = self._tokenizer().encode(text, add_special_tokens=False, verbose=False)
        unknown = self._tokenizer().unk_token
        # Byte-level tokenizers encode any text and assign the unknown token to an ordinary special token.
        if unknown is not None and self._tokenizer().unk_token_id in tokens and unknown not in text:
            position = tokens.index(self._tokenizer().unk_token_id)
            raise InputError(f"the tokenizer does not know a part of the text: token {position} would be {unknown}")
        return np.array(tokens, dtype=np.int64)

    def decode(self, tokens: NDArray[np.int64]) -> str:
        """Convert tokens (length,) to text; `InputError` if there is no tokenizer."""
        text: str = self._tokenizer().decode(tokens.tolist(), clean_up_tokenization_spaces=False)
        return text

    def describe(self) -> str:
        """Return a short description: family, name and number of parameters."""
        size = sum(weights.numel() for weights in self.network.parameters())
        return " ".join([self.family.name, *self.name.split(), f"{size:,} parameters"])

    def fingerprint(self) -> str:
        """Return the SHA-256 of the weights, the configuration and the calling convention, in hexadecimal."""
        weights = self.network.state_dict()
        state = [(tensor.data_ptr(), tensor._version) for tensor in weights.values()]
        if self._hashed is None or self._hashed[0] != state:  # hashing takes 1 s per GB
            self._hashed = state, self._hash(weights)
        return self._hashed[1]

    def _hash(self, weights: Mapping[str, Any]) -> str:
        conventions = [self.family.name, self.mask_id, self.exclude_mask, self.before, self.after, self.config]
        digest = hashlib.sha256(json.dumps(conventions, sort_keys=True, default=str).encode())
        for name, tensor in sorted(weights.items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    def _tokenizer(self) -> Any:
        if self.tokenizer is None:
            raise InputError("this model has no tokenizer: specify one with tokenizer= when loading it")
        return self.tokenizer

    def _forward(self, inputs: Tensor, hidden_tokens: Tensor) -> object:
        if self.family.noise is None:
            return self.network(inputs)
        return self.network(inputs, self.family.noise(hidden_tokens))

    def _probe(self) -> tuple[int, nn.Linear | None]:
        visible = int(self.mask_id == 0)
        inputs = torch.tensor([[visible, self.mask_id]], device=self._device)
        masked = inputs == self.mask_id
        excluded = self.mask_id if self.exclude_mask else None
        try:
            with torch.no_grad():
                vocabulary = logits_of(self._forward(inputs, masked)).shape[-1]
                if not 0 <= self.mask_id < vocabulary:
                    raise InputError(f"mask_id must be one of the network's {vocabulary} tokens, got {self.mask_id}")
                head = find_head(lambda: self._forward(inputs, masked), self.network, masked, excluded)
        except InfodisError:
            raise
        except Exception as error:  # third-party code may raise anything
            raise ModelError(
                f"the network cannot be called by the convention of family {self.family.name!r} with mask "
                f"{self.mask_id}: "
                f"{first_line(error)}"
            ) from error
        return vocabulary, head

    def _check_vocabulary(self) -> None:
        if self.tokenizer is None:
            return
        unused = self.vocabulary - len(self.tokenizer)
        # The output layer is often padded to a round size, for speed.
        if unused < 0 or unused > max(128, self.vocabulary // 10):
            raise InputError(
                f"the tokenizer has {len(self.tokenizer)} tokens but the network has {self.vocabulary}: they do not "
                "match"
            )

    def _check(self, tokens: Tensor, masked: Tensor) -> None:
        if tokens.shape[1] > self.longest:
            raise InputError(f"a sequence of {tokens.shape[1]} tokens exceeds the model's maximum of {self.longest}")
        problems = [
            ((tokens < 0) | (tokens >= self.vocabulary), f"is outside the model's {self.vocabulary} tokens"),
            (tokens == self.mask_id, "is the mask token, which cannot be part of a sequence"),
        ]
        added = "is a special token that the model adds to every sequence: remove it"
        first, last = torch.zeros_like(masked), torch.zeros_like(masked)
        first[:, 0], last[:, -1] = True, True
        if self.before:
            problems.append((first & (tokens == self.before[0]), added))
        elif self.family.shifted:
            problems.append(
                (first & masked, "is at the first position and cannot be scored without a BOS token before it")
            )
        if self.after:
            problems.append((last & (tokens == self.after[-1]), added))
        for wrong, problem in problems:
            if wrong.any():
                row, position = wrong.nonzero()[0].tolist()
                raise TokenError(row, position, f"token {tokens[row, position]} {problem}")

    def _rows_per_call(self, tokens: Tensor) -> int:
        return max(1, len(tokens) if self.lean else FULL_LOGITS // (tokens.shape[1] * self.vocabulary))

    def _losses(self, tokens: Tensor, masked: Tensor) -> Tensor:
        """Return the losses of the masked tokens in row order, (number of masked,)."""
        inputs = torch.where(masked, self.mask_id, tokens)
        inputs = torch.cat([_columns(self.before, inputs), inputs, _columns(self.after, inputs)], dim=1)
        rows, positions = masked.nonzero(as_tuple=True)
        positions = positions + len(self.before) - int(self.family.shifted)
        scored = ScoredTokens(rows, positions, tokens[masked], self.mask_id if self.exclude_mask else None)

        def forward() -> object:
            return self._forward(inputs, masked)

        with torch.no_grad():
            if self.head is None:
                return full_losses(forward, scored)
            return lean_losses(forward, self.head, scored)


def first_line(error: Exception) -> str:
    """Return the first line of an error message, or the type of an error without a message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _columns(special: tuple[int, ...], like: Tensor) -> Tensor:
    return torch.tensor(special, dtype=like.dtype, device=like.device).expand(len(like), -1)
