"""Records: what a text file asks to be scored, a prompt and a response each."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from estimators import InputError
from infodis_stats.files import read_text

__all__ = ["Record", "parse_records", "read_records"]


@dataclass(frozen=True)
class Record:
    """A text to score, given a prompt.

    Attributes
    ----------
    name : str
        Distinct within a file.
    prompt, response : str
        Only the response is scored; the prompt is given and may be empty.
    """

    name: str
    prompt: str
    response: str


def read_records(path: Path | str) -> list[Record]:
    """Read the records of a file; see `parse_records` for the formats, which go by the suffix.

    Raises
    ------
    InputError
        If the file cannot be read or a record is not as it should be; names the line.
    """
    return parse_records(read_text(path), Path(path).suffix, str(path))


def parse_records(text: str, suffix: str, where: str) -> list[Record]:
    r"""Parse records.

    Parameters
    ----------
    text : str
    suffix : str
        ``.jsonl``: an object a line with ``response``, and optionally ``prompt`` and ``id``; ``.fasta`` or ``.fa``:
        headers and sequences; anything else: a response a line, blank lines passed over.
    where : str
        What messages call the text.

    Examples
    --------
    >>> parse_records('{"prompt": "1 + 1 = ", "response": "2", "id": "sum"}', ".jsonl", "input")
    [Record(name='sum', prompt='1 + 1 = ', response='2')]
    >>> parse_records(">a\nAC\nGT\n", ".fasta", "input")
    [Record(name='a', prompt='', response='ACGT')]
    """
    parse = {".jsonl": _jsonl, ".fasta": _fasta, ".fa": _fasta}.get(suffix, _lines)
    records = parse(text, where)
    if not records:
        raise InputError(f"{where} holds nothing to score")
    for record in records:
        if not record.response:
            raise InputError(f"{where}: the response of {record.name!r} is empty, there is nothing to score")
    repeated = [name for name, count in Counter(record.name for record in records).items() if count > 1]
    if repeated:
        raise InputError(f"{where}: the name {repeated[0]!r} stands more than once")
    return records


def _lines(text: str, _: str) -> list[Record]:
    return [Record(f"line {number}", "", line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _jsonl(text: str, where: str) -> list[Record]:
    records = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{where}, line {number}: not JSON ({error.msg})") from error
        if not isinstance(entry, dict) or not isinstance(entry.get("response"), str):
            raise InputError(f'{where}, line {number}: needs an object with a string "response"')
        prompt, name = entry.get("prompt", ""), entry.get("id", f"line {number}")
        if not isinstance(prompt, str) or not isinstance(name, str | int):
            raise InputError(f'{where}, line {number}: "prompt" needs to be a string, and "id" a string or a number')
        records.append(Record(str(name), prompt, entry["response"]))
    return records


def _fasta(text: str, where: str) -> list[Record]:
    records: list[Record] = []
    name, parts = None, [""]
    for number, raw in enumerate([*text.splitlines(), ">"], 1):
        line = raw.strip()
        if line.startswith(">"):
            if name is not None:
                records.append(Record(name, "", "".join(parts)))
            name, parts = line[1:].strip() or f"sequence {len(records)}", []
        elif line and name is None:
            raise InputError(f"{where}, line {number}: a sequence stands before the first header '>'")
        else:
            parts.append(line)
    return records
