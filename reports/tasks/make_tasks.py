"""Cut the documents of the tasks in this folder from a novel; see README.md.

    python make_tasks.py persuasion.txt

Every text fits into both bundled models: 128 characters and 64 subwords.
"""

import json
import random
import re
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import infodis_stats as ids

HERE = Path(__file__).parent
MODELS = [ids.load_model(name) for name in ("austen", "austen-bpe")]
SWAPS = {
    "was": "were", "were": "was", "is": "are", "are": "is", "has": "have", "have": "has", "he": "him", "him": "he",
    "they": "them", "them": "they", "me": "I", "his": "him", "this": "these", "these": "this", "an": "a", "does": "do",
}  # fmt: skip


def sentences_of(path: Path) -> list[str]:
    """Return the sentences of a novel, in order, in single lines without quotation marks."""
    text = re.sub(r"^Chapter.*$", " ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = " ".join(word for word in text.replace('"', "").split() if word.isascii()).replace("Mrs.", "Mrs")
    return [each for each in re.split(r"(?<=[.!?]) (?=[A-Z])", text) if not re.search(r"[_\[\]()*]", each)]


def fits(text: str) -> bool:
    """Return whether every model knows the text and takes it whole."""
    return all(len(model.encode(text)) <= model.longest for model in MODELS)


def write(name: str, entries: list[dict[str, object]]) -> None:
    """Write documents, one a line."""
    lines = [json.dumps(entry, ensure_ascii=False) for entry in entries]
    (HERE / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(words: list[str], start: int, least: int) -> str:
    """Return words from ``start`` on, as many as have at least so many characters."""
    stop = start
    while len(" ".join(words[start:stop])) < least:
        stop += 1
    return " ".join(words[start:stop])


def corrupted(text: str, others: dict[int, list[str]], rng: random.Random) -> str:
    """Replace a word by another one of its length."""
    words = text.split()
    place = rng.choice([i for i, word in enumerate(words) if word.isalpha() and word.islower()])
    return " ".join([*words[:place], rng.choice(others[len(words[place])]), *words[place + 1 :]])


def swapped(text: str, rng: random.Random) -> str:
    """Exchange two neighbouring words."""
    words = text.split()
    place = rng.randrange(len(words) - 1)
    words[place], words[place + 1] = words[place + 1], words[place]
    return " ".join(words)


def endings(words: list[str], rng: random.Random) -> list[dict[str, object]]:
    """Cut passages with four endings: the author's, two changed copies, and a changed one from elsewhere."""
    others: dict[int, list[str]] = defaultdict(list)
    for word in sorted({word for word in words if word.isalpha() and word.islower()}):
        others[len(word)].append(word)
    documents: list[dict[str, object]] = []
    for start in rng.sample(range(0, len(words) - 60, 30), 500):
        context = run(words, start, 50)
        right = run(words, start + len(context.split()), rng.randrange(20, 40))
        if len(right.split()) < 4 or not re.search(r"\b[a-z]+(?= |$)", right):
            continue
        elsewhere = run(words, rng.randrange(len(words) - 60), round(len(right) * rng.uniform(0.8, 1.2)))
        wrong = corrupted(right, others, rng)
        if rng.random() < 0.5:
            wrong = corrupted(wrong, others, rng)
        choices = [right, wrong, swapped(right, rng), swapped(elsewhere, rng)]
        if len(set(choices)) == 4 and all(fits(f"{context} {choice}") for choice in choices):
            order = rng.sample(range(4), 4)
            documents.append({"context": context, "choices": [choices[i] for i in order], "answer": order.index(0)})
    return documents[:200]


def pairs(sentences: list[str], rng: random.Random) -> list[dict[str, object]]:
    """Pair short sentences with copies in which one word has a form that is wrong there."""
    documents: list[dict[str, object]] = []
    for sentence in sentences:
        words = sentence.split()
        places = [i for i, word in enumerate(words) if word in SWAPS]
        if 20 <= len(sentence) <= 110 and places and fits(sentence):
            place = rng.choice(places)
            bad = " ".join([*words[:place], SWAPS[words[place]], *words[place + 1 :]])
            documents.append({"good": sentence, "bad": bad, "word": words[place]})
    chosen = sorted(rng.sample(range(len(documents)), 120))
    return [documents[i] for i in chosen]


def passages(sentences: list[str], rng: random.Random) -> list[dict[str, object]]:
    """Join sentences to texts of 80 to 600 characters, most of them longer than a model takes."""
    documents: list[dict[str, object]] = []
    for start in sorted(rng.sample(range(0, len(sentences) - 20, 20), 24)):
        goal = rng.choice([80, 150, 300, 500])
        text = sentences[start]
        for following in sentences[start + 1 :]:
            if len(text) >= goal:
                break
            text += " " + following
        if len(text) <= 600 and all(model.encode(text).size for model in MODELS):
            documents.append({"text": text})
    return documents


def letters(words: list[str], rng: random.Random) -> list[dict[str, object]]:
    """Ask which of four words follows; the answer is a letter."""
    documents: list[dict[str, object]] = []
    for start in rng.sample(range(0, len(words) - 60, 30), 400):
        context = run(words, start, 30)
        right = words[start + len(context.split())].strip(",;.")
        others = [word.strip(",;.") for word in rng.sample(words, 3)]
        if all(word.isalpha() and 3 <= len(word) <= 9 for word in (right, *others)) and len({right, *others}) == 4:
            order = rng.sample(range(4), 4)
            shown = [[right, *others][i] for i in order]
            lines = [context, *(f"{letter}. {word}" for letter, word in zip("ABCD", shown, strict=True)), "Answer:"]
            if fits("\n".join(lines) + " A"):
                documents.append({"question": context, "choices": shown, "answer": order.index(0)})
    return documents[:80]


def last_words(sentences: list[str], rng: random.Random) -> list[dict[str, object]]:
    """Take the last words of sentences, each after its sentence and the one before."""
    documents: list[dict[str, object]] = []
    for before, sentence in pairwise(sentences):
        text = f"{before} {sentence}"
        context, _, word = text.rstrip(".!?").rpartition(" ")
        if 70 <= len(text) <= 120 and word.isalpha() and len(word) > 3 and fits(text):
            documents.append({"context": context, "word": word})
    chosen = sorted(rng.sample(range(len(documents)), 80))
    return [documents[i] for i in chosen]


def main(path: Path) -> None:
    """Write all documents."""
    sentences = sentences_of(path)
    words = " ".join(sentences).split()
    write("endings", endings(words, random.Random(40)))
    write("pairs", pairs(sentences, random.Random(41)))
    write("passages", passages(sentences, random.Random(42)))
    write("letters", letters(words, random.Random(43)))
    write("last_words", last_words(sentences, random.Random(44)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
