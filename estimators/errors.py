"""The errors that users meet, each one clear sentence: what is wrong, where, and what would be right."""

__all__ = ["InfodisError", "InputError", "ModelError", "PassesError", "TokenError"]


class InfodisError(Exception):
    """Base class of every error this project raises on purpose.

    Examples
    --------
    >>> issubclass(InputError, InfodisError), issubclass(ModelError, InfodisError)
    (True, True)
    """

    def __str__(self) -> str:
        """Return the sentence on one line, even if it quotes a value of several."""
        return " ".join(line.strip() for line in super().__str__().splitlines())


class InputError(InfodisError, ValueError):
    """An argument, a token or a file that cannot be used as it is.

    Examples
    --------
    >>> from estimators import estimator
    >>> try:
    ...     estimator("time-fre")
    ... except InputError as error:
    ...     print(error)
    there is no estimator 'time-fre'; did you mean time-free or time-free+sobol or time-integral?
    """


class PassesError(InputError):
    """A number of forward passes that an estimator cannot work with at this length.

    Examples
    --------
    >>> import numpy as np
    >>> from estimators import Chain
    >>> try:
    ...     Chain().plan(length=8, passes=4, replicates=1, rng=np.random.default_rng())
    ... except PassesError as error:
    ...     print(error)
    chain needs at least 8 passes for 8 scored positions, got 4; block-chain works with fewer
    """


class TokenError(InputError):
    """A token that a model does not know.

    Parameters
    ----------
    row, position : int
        Where it is in the batch, so that a caller can say which sequence that is.
    problem : str
        What is wrong with it and what would be right.

    Examples
    --------
    >>> print(TokenError(0, 3, "token 7 is not one of 4 symbols"))
    sequence 0, position 3: token 7 is not one of 4 symbols
    """

    def __init__(self, row: int, position: int, problem: str) -> None:
        super().__init__(f"sequence {row}, position {position}: {problem}")
        self.row = row
        self.position = position
        self.problem = problem


class ModelError(InfodisError, RuntimeError):
    """A model that broke its contract: wrong shape, NaN, infinite or negative losses.

    Examples
    --------
    >>> issubclass(ModelError, RuntimeError)
    True
    """
