"""Cut the excerpts in this folder from plain texts; see README.md for where those come from.

    python excerpts.py FOLDER

FOLDER holds persuasion.txt, emma.txt, prideprejudice.txt, shakespeare.txt, bible.txt and smiles_test.txt. All texts are
laid out alike, in lines of at most 70 characters, so that no corpus is told by its line breaks.

Rules and constants of estimators were chosen on the files named windows and tuning. Those named fresh were used for
nothing but reports.
"""

import json
import random
import re
import string
import sys
import textwrap
from itertools import islice
from pathlib import Path

import infodis_stats as ids

LENGTH = 128  # the model's
PROMPT = 64
CONTEXT = 49  # prompts of windows
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


def window(run: list[str], length: int) -> tuple[str, str]:
    """Cut a text into a prompt of about 48 characters that ends with a word, and just so many characters after it."""
    text = laid_out(run)
    start = max(i for i in range(1, CONTEXT) if text[i - 1].isspace())
    return text[:start], text[start : start + length]


def misspelt(text: str, count: int, rng: random.Random) -> str:
    """Replace so many letters by others."""
    letters = list(text)
    for place in rng.sample([i for i, letter in enumerate(text) if letter.islower()], count):
        letters[place] = rng.choice([letter for letter in string.ascii_lowercase if letter != letters[place]])
    return "".join(letters)


def windows(runs: list[list[str]], elsewhere: list[list[str]]) -> None:
    """Write what the studies of the frontier score: windows of one length a file, and pairs of them."""
    for length in (8, 16, 32, 64):
        cut = [window(run, length) for run in runs]
        write(
            f"windows_{length}.jsonl",
            [{"id": f"window {i}", "prompt": p, "response": r} for i, (p, r) in enumerate(cut)],
        )
    rng = random.Random(11)
    for length in (16, 64):
        cut = [window(run, length) for run in runs]
        others = [window(run, length)[1] for run in elsewhere]
        seconds = {
            "letter": [misspelt(first, 1, rng) for _, first in cut],
            "letters": [misspelt(first, 4, rng) for _, first in cut],
            "unrelated": others,
            "shorter": [other[: length // 2] for other in others],
        }
        for kind, second in seconds.items():
            entries = [
                {"id": f"{kind} {i}", "prompt": prompt, "first": one, "second": two}
                for i, ((prompt, one), two) in enumerate(zip(cut, second, strict=True))
            ]
            write(f"pairs_{kind}_{length}.jsonl", entries)


def token_window(model: ids.TextModel, run: list[str], length: int) -> tuple[str, str] | None:
    """Cut a text into a prompt of 12 to 20 tokens that ends with a word, and just so many tokens after it."""
    tokens = model.encode(laid_out(run))
    for start in range(12, 21):
        prompt, response = model.decode(tokens[:start]), model.decode(tokens[start : start + length])
        apart = len(model.encode(prompt)) == start and len(model.encode(prompt + response)) == start + length
        if apart and response[0] == " " and response.isascii():
            return prompt, response
    return None


def windows_of_tokens(runs: list[list[str]], kind: str) -> None:
    """Write windows of 8, 16 and 32 subwords."""
    model = ids.load_model("austen-bpe")
    for length in (8, 16, 32):
        cut = [found for run in runs if (found := token_window(model, run, length)) is not None][:8]
        entries = [
            {"id": f"{kind} {i}", "prompt": prompt, "response": response} for i, (prompt, response) in enumerate(cut)
        ]
        write(f"tokens_{kind}_{length}.jsonl", entries)


def molecules(path: Path) -> None:
    """Write endings of molecules, whole ones, and pairs; each molecule is in one file only."""
    lines = path.read_text(encoding="utf-8").split()
    drawn = iter(random.Random(30).sample([line for line in lines if len(line) >= 36], 100))
    for kind in ("tuning", "fresh"):
        for length in (8, 16, 32):
            cut = enumerate(islice(drawn, 8))
            entries = [{"id": f"{kind} {i}", "prompt": line[:-length], "response": line[-length:]} for i, line in cut]
            write(f"molecules_{kind}_{length}.jsonl", entries)
        whole = [{"id": f"{kind} {i}", "response": line} for i, line in enumerate(islice(drawn, 8))]
        write(f"molecules_{kind}.jsonl", whole)
    rng = random.Random(31)
    changed = []
    for i, line in enumerate(islice(drawn, 6)):
        place = rng.choice([k for k, symbol in enumerate(line) if symbol == "C" and line[k : k + 2] != "Cl"])
        changed.append({"id": f"atom {i}", "first": line, "second": f"{line[:place]}N{line[place + 1 :]}"})
    write("pairs_atom.jsonl", changed)
    two = zip(islice(drawn, 6), islice(drawn, 6), strict=True)
    others = [{"id": f"molecule {i}", "first": one, "second": other} for i, (one, other) in enumerate(list(two))]
    write("pairs_molecule.jsonl", others)


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

    fresh = [run for run in pieces(novel, 40, seed=22) if run not in runs and run not in chosen]
    windows(fresh[:6], fresh[6:12])

    used = [*runs, *chosen, *fresh]
    unused = [run for run in pieces(novel, 60, seed=23) if run not in used]
    for length in (8, 12, 16, 32, 64):
        cut = [window(run, length) for run in unused[:8]]
        write(
            f"fresh_{length}.jsonl", [{"id": f"fresh {i}", "prompt": p, "response": r} for i, (p, r) in enumerate(cut)]
        )
    windows_of_tokens(unused[8:22], "tuning")
    windows_of_tokens(unused[22:], "fresh")
    molecules(folder / "smiles_test.txt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
