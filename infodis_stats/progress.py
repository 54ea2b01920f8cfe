"""Progress bars, in terminals and in notebooks."""

import sys
import warnings
from collections.abc import Callable
from typing import Any

from tqdm import TqdmWarning

from estimators.errors import InputError

__all__ = ["progress_bar", "progress_callback"]

DELAY = 2.0
"""Seconds after which a bar appears: shorter work needs none."""


def progress_bar(unit: str = "pass", *, show: bool = True, **settings: Any) -> Any:
    """Return a bar that appears after two seconds, in terminals and in notebooks only.

    Parameters
    ----------
    unit : str, default "pass"
        What is counted.
    show : bool, default True
        False: the bar counts and never appears.
    **settings
        Of `tqdm.tqdm`, such as ``total`` and ``desc``.

    Returns
    -------
    tqdm.tqdm
        A context manager with the method ``update(count)``.

    Examples
    --------
    >>> with progress_bar(total=3) as bar:
    ...     _ = bar.update(3)
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TqdmWarning)  # in a notebook without widgets the bar is text
        from tqdm.auto import tqdm  # noqa: PLC0415  it looks at once whether this is a notebook
    disable = not show or (False if _in_notebook() else None)  # None: hidden if standard error is no terminal
    return tqdm(unit=unit, unit_scale=True, delay=DELAY, disable=disable, **settings)


def progress_callback(progress: object) -> Callable[[int], object] | None:
    """Return the callback that a ``progress`` argument asks for: True is a bar, which closes with its last reference.

    Raises
    ------
    InputError
        If it is neither a function nor a bool nor None.

    Examples
    --------
    >>> progress_callback(None) is progress_callback(False) is None, progress_callback(print) is print
    (True, True)
    """
    if progress is True:
        update: Callable[[int], object] = progress_bar().update
        return update
    if progress is None or progress is False:
        return None
    if not callable(progress):
        given = type(progress).__name__
        raise InputError(f"progress must be a function of a number of passes, or True for a bar, got {given}")
    return progress


def _in_notebook() -> bool:
    """Return whether the code runs in a kernel of Jupyter, whose output is no terminal."""
    shell = sys.modules.get("IPython")
    return shell is not None and "IPKernelApp" in getattr(shell.get_ipython(), "config", {})
