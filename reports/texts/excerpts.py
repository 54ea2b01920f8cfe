"""Cut the excerpts in this folder from plain texts; see README.md for where those come from.

    python excerpts.py FOLDER

FOLDER holds persuasion.txt, emma.txt, prideprejudice.txt, shakespeare.txt and bible.txt. All texts are laid out alike,
in lines of at most 70 characters, so that no corpus is told by its line breaks.
"""

import json
import random
import re
import sys
import textwrap
from pathlib import Path

LENGTH = 128  # the model's
PROMPT = 64
TEXTS = 60
HERE = Path(__file__).parent


def words_of(path: Path) -> list[str]:
    """Return the words of a play or a novel."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r"\[[^\]]*\]", " ", text)  # stage directions
    text = re.sub(r"^\s*(?:[A-Z][a-z]*\.? ?){1,3}\.$", " ", text, flags=re.MULTILINE)  # names of speakers
    text = re.sub(r"^(?:Chapter|Volume|CHAPTER|VOLUME|Act|ACT|Scene|SCENE)\b.*$", " ", text, flags=re.MULTILINE)
    return [word for word in text.split() if word.isascii()]


def laid_out(words: list[str]) -> str:
    """Set words in lines of at most 70 characters."""
    return "\n".join(textwrap.wrap(" ".join(words), width=70))


def pieces(words: list[str], count: int, seed: int) -> list[list[str]]:
    """Return disjoint runs of words, each long enough for a text."""
    starts = range(0, len(words) - 60, 60)
    return [words[start : start + 60] for start in sorted(random.Random(seed).sample(starts, count))]


def write(name: str, entries: list[dict[str, str]]) -> None:
    """Write records, one a line."""
    lines = [json.dumps(entry, ensure_ascii=False) for entry in entries]
    (HERE / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def corpus(name: str, runs: list[list[str]]) -> None:
    """Write texts of 128 characters."""
    write(f"{name}.jsonl", [{"id": f"{name} {i}", "response": laid_out(run)[:LENGTH]} for i, run in enumerate(runs)])


def continuation(run: list[str], length: int) -> tuple[str, str]:
    """Cut a text into a prompt of about 64 characters that ends with a word, and what follows up to a word's end."""
    text = laid_out(run)
    start = max(i for i in range(1, PROMPT) if text[i - 1].isspace())
    stop = min(i for i in range(start + length, len(text)) if text[i].isspace())
    return text[:start], text[start:stop]


def main(folder: Path) -> None:
    """Write all excerpts."""
    novel = words_of(folder / "persuasion.txt")
    runs = pieces(novel, TEXTS, seed=0)
    corpus("persuasion", runs)
    for number, name in enumerate(("emma", "prideprejudice", "shakespeare", "bible"), 1):
        corpus(name, pieces(words_of(folder / f"{name}.txt"), TEXTS, seed=number))
    rng = random.Random(10)
    corpus("shuffled", [rng.sample(run, len(run)) for run in runs])  # the words of the first corpus in random order

    chosen = pieces(novel, 24, seed=20)
    for name, length, some in (("endings", 8, chosen[:8]), ("continuations", 48, chosen[8:12])):
        cut = [continuation(run, length) for run in some]
        write(f"{name}.jsonl", [{"id": f"{name} {i}", "prompt": p, "response": r} for i, (p, r) in enumerate(cut)])
    word, other = [], []
    for i, (run, elsewhere) in enumerate(zip(chosen[16:20], pieces(novel, 4, seed=21), strict=True)):
        prompt, first = continuation(run, 40)
        tokens = re.split(r"(\s)", first)
        place = rng.choice([k for k, token in enumerate(tokens) if len(token) > 3])
        tokens[place] = rng.choice(
            [w for w in novel if len(w) == len(tokens[place]) and w.isalpha() and w != tokens[place]]
        )
        word.append({"id": f"word {i}", "prompt": prompt, "first": first, "second": "".join(tokens)})
        other.append({"id": f"other {i}", "prompt": prompt, "first": first, "second": continuation(elsewhere, 40)[1]})
    write("pairs_word.jsonl", word)
    write("pairs_other.jsonl", other)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
