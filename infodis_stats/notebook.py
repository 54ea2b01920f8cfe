"""How objects look in a notebook: small tables of HTML in which text from data is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

__all__ = ["facts", "model_facts", "paragraphs", "table"]

DIGITS = 16  # of a fingerprint


def table(names: Sequence[object], rows: Iterable[Sequence[object]], *, left: Sequence[bool] = ()) -> Markup:
    """Return a table.

    Parameters
    ----------
    names : sequence
        Heads of the columns; empty if there are none.
    rows : iterable of sequences
        Cells; text is escaped.
    left : sequence of bool
        Which columns are aligned left, as text is. Default: all.

    Examples
    --------
    >>> print(table(["a"], [["1 < 2"]]))
    <table>
    <thead><tr><th align="left">a</th></tr></thead>
    <tbody>
    <tr><td align="left">1 &lt; 2</td></tr>
    </tbody>
    </table>
    """
    rows = [list(row) for row in rows]
    width = max([len(names), *map(len, rows)], default=0)
    # Attributes, because style elements and colours of our own would break dark notebooks.
    sides = ["left" if is_left else "right" for is_left in (left or [True] * width)]
    head = Markup("<thead><tr>{}</tr></thead>\n").format(_cells("th", names, sides)) if names else Markup()
    lines = Markup("\n").join(Markup("<tr>{}</tr>").format(_cells("td", row, sides)) for row in rows)
    return Markup("<table>\n{}<tbody>\n{}\n</tbody>\n</table>").format(head, lines)


def facts(title: str, known: Mapping[str, object]) -> str:
    """Return a title over a table of names and values.

    Examples
    --------
    >>> print(facts("A law", {"symbols": 4}))
    <p><strong>A law</strong></p>
    <table>
    <tbody>
    <tr><td align="left">symbols</td><td align="left">4</td></tr>
    </tbody>
    </table>
    """
    return str(Markup("<p><strong>{}</strong></p>\n{}").format(title, table([], list(known.items()))))


def paragraphs(texts: Iterable[str]) -> Markup:
    """Return texts as paragraphs, escaped.

    Examples
    --------
    >>> print(paragraphs(["a & b"]))
    <p>a &amp; b</p>
    """
    return Markup("\n").join(Markup("<p>{}</p>").format(text) for text in texts)


def model_facts(model: Any, *, hashed: bool = True, **others: object) -> str:
    """Return what a model says of itself: its description, other facts that are known, and its fingerprint.

    Parameters
    ----------
    model : object
        With ``describe()`` and ``fingerprint()``.
    hashed : bool
        Whether to give the fingerprint, which takes a second per GB of weights.
    **others : object
        Facts by name; those that are None are left out.
    """
    known = {name.replace("_", " "): value for name, value in others.items() if value is not None}
    digest = {"fingerprint": f"{model.fingerprint()[:DIGITS]}…"} if hashed else {}
    return facts(model.describe(), {"kind": type(model).__name__} | known | digest)


def _cells(tag: str, values: Iterable[object], sides: Iterable[str]) -> Markup:
    cell = Markup('<{tag} align="{side}">{value}</{tag}>')
    return Markup().join(
        cell.format(tag=tag, side=side, value=value) for value, side in zip(values, sides, strict=False)
    )
