"""FASTA: headers and sequences."""

from estimators import InputError
from infodis_stats.io.records.content import are_blocks, is_blank, numbered
from infodis_stats.io.records.kinds import Record

__all__ = ["fasta_records"]


def fasta_records(text: str, where: str, *, upper: bool, strip_stop: bool) -> list[Record]:
    r"""Read the records of a FASTA text.

    Parameters
    ----------
    text : str
    where : str
        Name of the text in error messages.
    upper : bool
        Whether lower-case symbols are read as upper-case ones.
    strip_stop : bool
        Whether a ``*`` at the end of a sequence is dropped.

    Examples
    --------
    >>> fasta_records(">a\nMKV acg\n".replace(" ", ""), "x", upper=True, strip_stop=False)
    [Record(name='a', prompt='', response='MKVACG', suffix='')]
    """
    lines = [(number, line.strip()) for number, line in numbered(text) if not is_blank(line)]
    mark = ">" if any(line.startswith(">") for _, line in lines) else ";"  # the oldest FASTA has headers with ;
    found: list[tuple[int, str, list[str]]] = []
    previous = ""
    for number, line in lines:
        if line.startswith(mark) and not (mark == ";" and previous == ";"):
            found.append((number, line[1:].strip() or f"sequence {len(found)}", []))
        elif not line.startswith(";"):
            if not found:
                raise InputError(f"{where}, line {number}: sequence data before the first header line ('>')")
            if not are_blocks(line):
                raise InputError(f"{where}, line {number}: a sequence has no words, got {line[:40]!r}")
            found[-1][2].append("".join(line.split()))
        previous = line[0]
    records = []
    for number, name, parts in found:
        sequence = "".join(parts)
        sequence = sequence.removesuffix("*") if strip_stop else sequence
        if not sequence:
            raise InputError(f"{where}, line {number}, {name!r}: the sequence is empty; there is nothing to score")
        records.append(Record(name, "", sequence.upper() if upper else sequence, source=f"{where}, line {number}"))
    return records
