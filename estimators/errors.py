"""The errors that users meet, each one clear sentence: what was wrong, where, and what would be right."""

__all__ = ["InfodisError", "InputError", "ModelError", "PassesError", "TokenError"]


class InfodisError(Exception):
    """Base class of every error this project raises on purpose."""


class InputError(InfodisError, ValueError):
    """An argument, a token or a file that cannot be used as it is."""


class PassesError(InputError):
    """A number of forward passes that an estimator cannot work with at this length."""


class TokenError(InputError):
    """A token that a model does not know.

    Parameters
    ----------
    row, position : int
        Where it stands in the batch, so that a caller can say which sequence that is.
    problem : str
        What is wrong with it and what would be right.
    """

    def __init__(self, row: int, position: int, problem: str) -> None:
        super().__init__(f"sequence {row}, position {position}: {problem}")
        self.row = row
        self.position = position
        self.problem = problem


class ModelError(InfodisError, RuntimeError):
    """A model that broke its contract: wrong shape, NaN, infinite or negative losses."""
