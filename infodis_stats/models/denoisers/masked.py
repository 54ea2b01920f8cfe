"""The masked denoiser: a conditional model of characters or subwords, without time conditioning."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor

from estimators import InputError
from infodis_stats.models.denoisers.config import DenoiserConfig
from infodis_stats.models.denoisers.network import Layer, Network, initialise, present
from infodis_stats.models.losses import token_distributions, token_losses
from infodis_stats.models.repeats import distinct_rows

__all__ = ["Denoiser"]


class Denoiser(Network):
    """A network that predicts each masked token from the unmasked ones.

    The network has no time input (the time-independent parameterisation of [1]_): it depends on the unmasked tokens and
    their positions alone. It is a ``ConditionalModel`` and a `TextModel`. Its conditionals are learned and need not
    come from one joint distribution.

    Parameters
    ----------
    config : DenoiserConfig
    name : str, optional
        Name in tables; `load` uses the name of the file.

    Attributes
    ----------
    longest : int
        Longest sequence in tokens, context included.
    takes_padding : bool
        True: sequences of different lengths may share a call.

    Notes
    -----
    Losses are float32, in nats. The losses of a row agree within 1e-5 nats across batches, padded or not.

    References
    ----------
    .. [1] J. Ou et al. (2024), Your absorbing discrete diffusion secretly models the conditional distributions of clean
       data, arXiv 2406.03736.

    Examples
    --------
    >>> import torch
    >>> model = Denoiser(DenoiserConfig("abc", length=8, layers=1, width=16, heads=2))
    >>> tokens = torch.tensor(model.encode("abca"))[None]
    >>> model.token_nll(tokens, torch.tensor([[False, True, True, False]])).shape
    torch.Size([1, 4])
    """

    takes_padding = True
    states = 1  # the mask, which is the last

    def __init__(self, config: DenoiserConfig, name: str = "") -> None:
        if config.noise:
            raise InputError(
                f"a Denoiser predicts masked tokens, this is a network for {config.noise} noise: use UniformDenoiser"
            )
        super().__init__(config, name)
        self.apply(initialise)

    @property
    def block_size(self) -> int | None:
        """Number of tokens of a block; None of a model that is not of blocks."""
        return self.config.block_size

    def hidden(self, tokens: Tensor, masked: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the last hidden states, (batch, length, width); those of padding mean nothing."""
        self._check_length(tokens.shape[1])
        hidden = self.embedding(torch.where(masked, self.vocabulary, tokens))
        if self.config.block_size is not None:
            return self._block_hidden(tokens, hidden, lengths, self.config.block_size)
        return self._transformed(hidden, lengths)

    def _block_hidden(self, tokens: Tensor, hidden: Tensor, lengths: Tensor | None, size: int) -> Tensor:
        # Each row attends to its own block, and to the keys and values of the earlier ones with nothing masked: these
        # are computed once for all rows of the same tokens.
        rotation, here = self._rotation(tokens.shape[1], hidden), present(tokens.shape[1], lengths)
        first, kind = distinct_rows(tokens)
        clean = self.embedding(tokens[first])
        block = torch.arange(tokens.shape[1], device=tokens.device) // size
        earlier, own = block < block[:, None], block == block[:, None]
        inside = own if here is None else own & here
        attended = torch.cat([earlier.expand_as(inside), inside], dim=-1)
        for layer in cast("Iterable[Layer]", self.blocks):
            query, key, value = layer.project(clean, rotation)
            clean = layer.attend(clean, query, key, value, earlier | own)
            own_query, own_key, own_value = layer.project(hidden, rotation)
            keys, values = torch.cat([key[kind], own_key], dim=-2), torch.cat([value[kind], own_value], dim=-2)
            hidden = layer.attend(hidden, own_query, keys, values, attended)
        result: Tensor = self.norm(hidden)
        return result

    def losses(self, tokens: Tensor, masked: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the losses of the masked tokens in row order, (number of masked,); only they pass through the head."""
        return self._losses(self.hidden(tokens, masked, lengths)[masked], tokens[masked])

    def token_nll(self, tokens: Tensor, masked: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Return the negative log-likelihood of each masked token given the unmasked tokens of its row.

        Rows that differ under their masks alone are one pass of the network.

        Parameters
        ----------
        tokens : Tensor of integers, shape (batch, length)
            Complete sequences.
        masked : Tensor of bool, shape (batch, length)
        lengths : Tensor of int64, shape (batch,), optional
            Number of tokens of each row, if they differ; what follows them is padding.

        Returns
        -------
        Tensor of float32, shape (batch, length)
            Nats at masked positions, 0 elsewhere.

        Raises
        ------
        TokenError
            If a token is not one of the model's symbols; the message gives the row and the position.
        InputError
            If the sequences are longer than `longest`.
        """
        result = torch.zeros(tokens.shape, device=tokens.device)
        result[masked] = self._losses(self._masked_hidden(tokens, masked, lengths), tokens[masked])
        return result

    def token_log_probs(self, tokens: Tensor, masked: Tensor, *, lengths: Tensor | None = None) -> Tensor:
        """Return the log-probabilities of all symbols at each masked position given the unmasked tokens of its row.

        Arguments and errors as in `token_nll`.

        Returns
        -------
        Tensor of float32, shape (number masked, symbols)
            Nats, row by row in the order of ``masked.nonzero()``.
        """
        hidden = self._masked_hidden(tokens, masked, lengths)
        return token_distributions(lambda part: self.head(hidden[part]), tokens[masked], self.head.out_features)

    def _masked_hidden(self, tokens: Tensor, masked: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the last hidden states of the masked tokens in row order, (number masked, width)."""
        self._check_tokens(tokens)
        clean = tokens if self.config.block_size else None  # later blocks see what is masked here
        first, kind = distinct_rows(torch.where(masked, -1, tokens), lengths, clean)
        hidden = self.hidden(tokens[first], masked[first], None if lengths is None else lengths[first])
        rows, positions = masked.nonzero(as_tuple=True)
        return hidden[kind[rows], positions]

    def _losses(self, hidden: Tensor, targets: Tensor) -> Tensor:
        return token_losses(lambda part: self.head(hidden[part]), targets, self.head.out_features)
