"""Verdicts: the outcome of a check in words, with advice."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import get_args

import pandas as pd
from markupsafe import Markup

from infodis_stats.io.tables import markdown_table, printable, terminal_table
from infodis_stats.notebook import paragraphs, table
from infodis_stats.results.validity import Word

__all__ = ["Diagnosis", "Verdict", "Word", "concise"]

WORDS: tuple[Word, ...] = get_args(Word)


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check.

    Parameters
    ----------
    check : str
        Its name.
    verdict : {"fine", "caution", "do not use"}
    reason : str
        Why, in a sentence.
    advice : str
        What to do; empty if there is nothing to do.
    measured : str
        The numbers behind the verdict, or the items concerned; empty if it holds by construction for all.
    items : tuple
        Labels of the sequences or pairs concerned; empty if all are.

    Examples
    --------
    >>> Verdict("few-passes", "caution", "fewer than 32 forward passes in all").verdict
    'caution'
    """

    check: str
    verdict: Word
    reason: str
    advice: str = ""
    measured: str = ""
    items: tuple[object, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """Verdicts, worst first; prints as a table under the overall verdict.

    Parameters
    ----------
    verdicts : iterable of Verdict
        Equally bad ones keep their order.

    Examples
    --------
    >>> diagnosis = Diagnosis([Verdict("tails", "fine", "no outlier"), Verdict("few-passes", "caution", "few passes")])
    >>> diagnosis.verdict, diagnosis.overall
    ('caution', 'caution: few passes.')
    """

    verdicts: tuple[Verdict, ...]

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        ordered = sorted(verdicts, key=lambda verdict: -WORDS.index(verdict.verdict))
        object.__setattr__(self, "verdicts", tuple(ordered))

    @property
    def verdict(self) -> Word:
        """The worst verdict; fine if there is none."""
        return self.verdicts[0].verdict if self.verdicts else "fine"

    @property
    def overall(self) -> str:
        """The overall verdict in a sentence, with its reasons."""
        deciding = [verdict for verdict in self.verdicts if verdict.verdict == self.verdict]
        if self.verdict == "fine":
            return f"fine: no problems found in {len(deciding)} check{'s' if len(deciding) != 1 else ''}."
        return f"{self.verdict}: {'; '.join(verdict.reason.rstrip('.') for verdict in deciding)}."

    def by_word(self) -> dict[Word, list[Verdict]]:
        """Return the verdicts by word, best first; only words that occur."""
        groups = {word: [verdict for verdict in self.verdicts if verdict.verdict == word] for word in WORDS}
        return {word: group for word, group in groups.items() if group}

    def to_dataframe(self) -> pd.DataFrame:
        """Return one row per check, worst first."""
        columns = [name for name in Verdict.__dataclass_fields__ if name != "items"]
        return pd.DataFrame([asdict(verdict) for verdict in self.verdicts], columns=columns)

    def to_markdown(self) -> str:
        """Return the table as Markdown."""
        return markdown_table(self.to_dataframe())

    def __repr__(self) -> str:
        """Return the overall verdict and the number of checks behind it."""
        deciding = sum(verdict.verdict == self.verdict for verdict in self.verdicts)
        return f"<Diagnosis: {self.verdict}, by {deciding} of {len(self.verdicts)} checks>"

    def _repr_html_(self) -> Markup:
        columns = ("check", "verdict", "reason", "advice", "measured")
        rows = ([getattr(verdict, name) for name in columns] for verdict in self.verdicts)
        return paragraphs([self.overall]) + table(columns, rows)

    def __str__(self) -> str:
        """Return the overall verdict and the table."""
        frame = self.to_dataframe()
        widths = [14, 10, 44, 32, 32]
        table = terminal_table(frame, widths=widths) if len(frame) else ""
        return f"{self.overall}\n\n{table}".rstrip()


def concise(names: Iterable[object], most: int = 3) -> str:
    """Return the first few names and how many more there are.

    Examples
    --------
    >>> concise("abc"), concise(range(5))
    ('a, b, c', '0, 1, 2 and 2 more')
    """
    every = [printable(str(name)) for name in names]
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
