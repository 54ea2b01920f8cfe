"""Rows that wait for a call of the model, and which of them share one."""

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from estimators.batches import Batches
from estimators.plan import Question

__all__ = ["Rows", "Waiting"]

SHORTEST = 0.75  # of the longest row of a call: at most a quarter of a call is padding


class Rows:
    """Rows of one length that are asked in one way, of which the first ones have gone into calls.

    Parameters
    ----------
    question : Question
    length : int
        Total number of tokens of a row.
    count : int
        Number of rows.
    """

    def __init__(self, question: Question, length: int, count: int) -> None:
        self.question, self.length, self.count = question, length, count
        self._next = 0

    @property
    def left(self) -> int:
        """Number of rows that wait."""
        return self.count - self._next

    def take(self, most: int) -> slice:
        """Take the next rows for a call."""
        start, self._next = self._next, min(self._next + most, self.count)
        return slice(start, self._next)


R = TypeVar("R", bound=Rows)


class _Line(Generic[R]):
    """Groups of rows of one length and question, in order."""

    def __init__(self) -> None:
        self.groups: deque[Sequence[R]] = deque()
        self.left = 0

    def add(self, group: Sequence[R]) -> None:
        self.groups.append(group)
        self.left += sum(rows.left for rows in group)

    def take(self, room: int) -> list[tuple[R, slice]]:
        """Take up to that many rows, those of a group in step."""
        pieces = []
        while room and self.groups:
            group = sorted(self.groups[0], key=lambda rows: -rows.left)  # whoever is behind comes first
            for place, rows in enumerate(group):
                part = rows.take(-(-room // (len(group) - place)))
                pieces.append((rows, part))
                room -= part.stop - part.start
                self.left -= part.stop - part.start
            if not any(rows.left for rows in group):
                self.groups.popleft()
        return [(rows, part) for rows, part in pieces if part.stop > part.start]


class Waiting(Generic[R]):
    """Rows that wait, in groups that go in step.

    Parameters
    ----------
    batches : Batches
        How many rows a call takes.
    takes_padding : callable
        Whether rows of different lengths may share a call for a question: asked once there are such rows.

    Examples
    --------
    >>> import torch
    >>> from estimators.masked.tokens import MaskedTokens
    >>> waiting = Waiting[Rows](Batches(8, torch.device("cpu")), lambda question: True)
    >>> short, long, longer = (Rows(MaskedTokens(), length, count=5) for length in (10, 19, 20))
    >>> for rows in (short, long, longer):
    ...     waiting.add((rows,))
    >>> [(rows.length, taken) for rows, taken in waiting.call(long)]
    [(19, slice(0, 5, None)), (20, slice(0, 3, None))]
    >>> [(rows.length, taken) for rows, taken in waiting.call(longer)]
    [(20, slice(3, 5, None))]
    """

    def __init__(self, batches: Batches, takes_padding: Callable[[Question], bool]) -> None:
        self._batches, self._takes_padding = batches, takes_padding
        self._lines: defaultdict[Question, defaultdict[int, _Line[R]]] = defaultdict(lambda: defaultdict(_Line))

    def add(self, group: Sequence[R]) -> None:
        """Let a group of rows of one length and question wait."""
        first = group[0]
        if any(rows.left for rows in group):
            self._lines[first.question][first.length].add(group)

    def fills_a_call(self, rows: R) -> bool:
        """Return whether the rows that wait with these, of their length and question, fill a call."""
        line = self._lines[rows.question].get(rows.length)
        return line is not None and line.left >= self._batches.rows(rows.length)

    def call(self, rows: R) -> list[tuple[R, slice]]:
        """Take the rows of a call: of this length first, then of the nearest lengths, while there is room."""
        lines = self._lines[rows.question]
        lengths = [rows.length]
        if len(lines) > 1 and self._takes_padding(rows.question):
            lengths = sorted(lines, key=lambda length: abs(length - rows.length))
        pieces: list[tuple[R, slice]] = []
        shortest = longest = rows.length
        taken = 0
        for length in lengths:
            low, high = min(shortest, length), max(longest, length)
            room = self._batches.rows(high) - taken
            if low < SHORTEST * high or room <= 0:
                continue
            shortest, longest = low, high
            found = lines[length].take(room)
            pieces += found
            taken += sum(part.stop - part.start for _, part in found)
            if not lines[length].left:
                del lines[length]
        return pieces
