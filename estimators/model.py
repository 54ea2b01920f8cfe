"""The seams between models and estimators: what can be asked of a model."""

from typing import Protocol

import torch

__all__ = ["ConditionalModel", "Model"]


class ConditionalModel(Protocol):
    """Anything that prices masked tokens: an exact law, a network, a user's wrapper.

    One call is one forward pass for each of its rows. Masks are boolean arrays and never read off token ids, so a
    sequence may contain any token; mask ids, shifted logits, time arguments and padding are the wrapper's business.

    A model whose conditionals come from one joint law, as those of an exact law do, may say so by an attribute
    ``consistent = True``: chains are then exact, and ``auto`` takes them. A trained network's conditionals disagree.
    """

    def token_nll(self, tokens: torch.Tensor, masked: torch.Tensor) -> torch.Tensor:
        """Price the masked tokens of each row given its unmasked ones.

        Parameters
        ----------
        tokens : Tensor of int64, shape (batch, length)
            Complete sequences: the tokens under the mask are the ones to price.
        masked : Tensor of bool, shape (batch, length)
            Where the model must not look.

        Returns
        -------
        Tensor of floating point, shape (batch, length)
            ``-log p(tokens[b, i] | unmasked tokens of row b)`` in nats where ``masked[b, i]``; 0 elsewhere.
        """
        ...


Model = ConditionalModel
"""Whatever an estimator can ask."""
