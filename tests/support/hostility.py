"""Helpers for tests of hostile input: reproducible examples, one-sentence errors, and memory limits."""

import contextlib
import tracemalloc
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from hypothesis import settings

import infodis_stats as ids

FUZZ = settings(derandomize=True, deadline=None, max_examples=150)

Made = TypeVar("Made")


def right_or_typed(make: Callable[[], Made]) -> Made | None:
    """Return the result, or None if the input is rejected; errors must be an `InfodisError` of one line."""
    try:
        return make()
    except ids.InfodisError as refused:
        sentence = str(refused)
    if not sentence or len(sentence.splitlines()) > 1:
        pytest.fail(f"an error is one sentence, not {sentence!r}")
    return None


@contextlib.contextmanager
def peak_of(most: int) -> Iterator[None]:
    """Fail if Python and numpy allocate more than this many bytes inside the block, even if the block raises."""
    tracemalloc.start()
    try:
        yield
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        if peak > most:
            pytest.fail(f"{peak} bytes were allocated, more than {most}")
