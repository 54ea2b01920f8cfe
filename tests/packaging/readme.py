"""The examples of the README that need no file of the repository."""

import json
import re
from pathlib import Path

__all__ = ["code_examples", "command_examples", "write_example_files"]

IN_REPOSITORY = re.compile(r"\breports/|\bFOLDER")
"""What a command names that only the repository or the reader has."""

TEXT = "It is a truth universally acknowledged.\nShe was not at home.\n"
RECORDS = [{"prompt": "It is a truth universally ", "response": "acknowledged"}]
PAIRS = [{"prompt": "She was ", "first": "not at home", "second": "zot xq hjkw"}]
QUESTIONS = [{"prompt": "She was not at ", "answers": ["home.", "xqzv.", "hjjw."], "correct": 0}]


def code_examples(text: str) -> str:
    """Return the Python code of a page, in one piece."""
    return "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))


def command_examples(text: str) -> list[str]:
    """Return the command lines of a page, without comments, but for those that need a file of the repository."""
    commands = re.findall(r"^    (infodis-stats .*?)(?:\s+#.*)?$", text, flags=re.MULTILINE)
    return [command for command in commands if not IN_REPOSITORY.search(command)]


def write_example_files(folder: Path) -> None:
    """Write the files of a reader that the examples name."""
    (folder / "my_text.txt").write_text(TEXT, encoding="utf-8")
    for name, entries in (("my", RECORDS), ("pairs", PAIRS), ("questions", QUESTIONS)):
        lines = (json.dumps(entry) + "\n" for entry in entries)
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
