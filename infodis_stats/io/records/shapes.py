"""Shapes of JSON objects: the keys of records, pairs and questions, here and in common benchmarks."""

import difflib
import reprlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from estimators import InputError
from infodis_stats.io.records.content import Entry
from infodis_stats.io.records.kinds import Question, Record, TextPair

__all__ = ["KEYS", "PAIRS", "QUESTIONS", "RECORDS", "Shape", "shaped"]

Made = TypeVar("Made", bound=Record | TextPair | Question)

Label = bool | int | float | str | list[int] | None

RULES = {
    "string_type": "must be a string",
    "list_type": "must be a list",
    "too_short": "must have at least {min_length} elements",
}
"""What a value must be, by pydantic's type of the error."""

SYNONYMS = {
    "prompt": ("context", "ctx", "goal", "input", "instruction", "query", "question"),
    "response": ("answer", "completion", "continuation", "output", "sequence", "target", "text"),
    "first": ("better", "chosen", "good", "preferred", "sentence_good", "winner"),
    "second": ("bad", "loser", "rejected", "sentence_bad", "worse"),
    "answers": ("candidates", "choices", "endings", "options"),
    "correct": ("answer", "answerKey", "answer_idx", "gold", "key", "label", "solution", "target"),
    "id": ("idx", "index", "name", "uid"),
    "suffix": ("after", "postfix"),
}
"""Other words for our keys, which a message suggests."""


class Shape(BaseModel, Generic[Made]):
    """Keys of an object; those of benchmarks may have others beside them."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    id: str | int | None = None

    def made(self, name: str, source: str) -> Made:
        """Return what the object says."""
        raise NotImplementedError  # every shape has its own

    @classmethod
    def required(cls) -> list[str]:
        """Return the keys that an object of this shape must have."""
        return [key for key, value in cls.model_fields.items() if value.is_required()]


class _Response(Shape[Record]):
    prompt: str | None = None
    response: str
    suffix: str | None = None

    def made(self, name: str, source: str) -> Record:
        return Record(name, self.prompt or "", self.response, self.suffix or "", source)


class _Text(Shape[Record]):
    text: str

    def made(self, name: str, source: str) -> Record:
        return Record(name, "", self.text, source=source)


class _Pair(Shape[TextPair]):
    prompt: str | None = None
    first: str
    second: str

    def made(self, name: str, source: str) -> TextPair:
        return TextPair(name, self.prompt or "", self.first, self.second, source)


class _Sentences(Shape[TextPair]):
    sentence_good: str
    sentence_bad: str

    def made(self, name: str, source: str) -> TextPair:
        return TextPair(name, "", self.sentence_good, self.sentence_bad, source)


class _Preference(Shape[TextPair]):
    prompt: str | None = None
    chosen: str
    rejected: str

    def made(self, name: str, source: str) -> TextPair:
        return TextPair(name, self.prompt or "", self.chosen, self.rejected, source)


Answers = Annotated[list[str], Field(min_length=2)]


class _Labelled(BaseModel):
    """Answers with their labels, such as A to D."""

    model_config = ConfigDict(strict=True, frozen=True)

    text: Answers
    label: list[str]


class _Asked(Shape[Question]):
    """A question: subclasses name its keys."""

    none: ClassVar[tuple[object, ...]] = (-1, "-1", "")
    """Labels of questions whose correct answer is not published."""

    def asked(
        self, name: str, source: str, prompt: str, choices: list[str] | _Labelled, keys: Mapping[str, Label]
    ) -> Question:
        """Return the question; there is one blank between the prompt and an answer."""
        answers, labels = (choices.text, choices.label) if isinstance(choices, _Labelled) else (choices, None)
        if labels is not None and len(labels) != len(answers):
            raise InputError(f"{len(answers)} answers have {len(labels)} labels")
        given = [(key, value) for key, value in keys.items() if value is not None and value not in self.none]
        if len(given) > 1:
            raise InputError(f'"{given[0][0]}" and "{given[1][0]}" both name the correct answer')
        correct = _index(*given[0], answers, labels) if given else None
        return Question(name, prompt, tuple(_after(prompt, answer) for answer in answers), correct, source)


class _Question(_Asked):
    none = ()

    prompt: str | None = None
    answers: Answers | _Labelled
    correct: Label = None

    def made(self, name: str, source: str) -> Question:
        question = self.asked(name, source, "", self.answers, {"correct": self.correct})
        return Question(name, self.prompt or "", question.answers, question.correct, source)


class _HellaSwag(_Asked):
    ctx: str
    endings: Answers
    label: Label = None

    def made(self, name: str, source: str) -> Question:
        return self.asked(name, source, self.ctx, self.endings, {"label": self.label})


class _Piqa(_Asked):
    goal: str
    sol1: str
    sol2: str
    label: Label = None

    def made(self, name: str, source: str) -> Question:
        return self.asked(name, source, self.goal, [self.sol1, self.sol2], {"label": self.label})


class _Choices(_Asked):
    question: str
    choices: Answers | _Labelled
    answer: Label = None
    answerKey: Label = None  # noqa: N815  the key of the benchmark

    def made(self, name: str, source: str) -> Question:
        keys = {"answer": self.answer, "answerKey": self.answerKey}
        return self.asked(name, source, self.question, self.choices, keys)


class _Query(_Asked):
    query: str
    choices: Answers
    gold: Label = None

    def made(self, name: str, source: str) -> Question:
        return self.asked(name, source, self.query, self.choices, {"gold": self.gold})


RECORDS: Sequence[type[Shape[Record]]] = (_Response, _Text)
"""Ours first, then those of benchmarks."""
PAIRS: Sequence[type[Shape[TextPair]]] = (_Pair, _Sentences, _Preference)
QUESTIONS: Sequence[type[Shape[Question]]] = (_Question, _HellaSwag, _Piqa, _Choices, _Query)
OURS = {key for shapes in (RECORDS, PAIRS, QUESTIONS) for key in shapes[0].model_fields} - {"id"}
KEYS = {key for shapes in (RECORDS, PAIRS, QUESTIONS) for shape in shapes for key in shape.model_fields}
"""Keys of all shapes."""


def shaped(entry: Entry, shapes: Sequence[type[Shape[Made]]], fields: Mapping[str, str] | None) -> Made:
    """Turn a JSON object into what its keys say, by the first shape that they fit.

    Parameters
    ----------
    entry : Entry
    shapes : sequence of types
        Ours first, then those of benchmarks.
    fields : mapping of str to str, or None
        Keys of the object by ours; other keys are then ignored.

    Raises
    ------
    InputError
        If a key is missing, unknown or misspelt, or a value has the wrong type; the message names the place.

    Examples
    --------
    >>> entry = Entry("x", "line 1", {"ctx": "It is a", "endings": ["truth", "trvth"], "label": "0", "ind": 3})
    >>> shaped(entry, QUESTIONS, None)
    Question(name='line 1', prompt='It is a', answers=(' truth', ' trvth'), correct=0)
    """
    ours = shapes[0]
    if not isinstance(entry.value, dict):
        raise InputError(f"{entry.source}: needs a JSON object with {_needs(shapes)}, got {_type(entry.value)}")
    value, fields = entry.value, fields or {}
    if any(not isinstance(key, str) for key in value):
        raise InputError(f"{entry.source}: keys must be strings, got {list(map(_type, value))}")
    identity = value.get(fields.get("id", "id"))
    where = entry.source + (f", {identity!r}" if isinstance(identity, str | int) and _short(identity) else "")
    shape = ours if fields else _shape_of(value, shapes, where)
    if fields:
        value = _renamed(value, fields, ours, where)
    try:
        made = shape.model_validate(value)
    except ValidationError as error:
        raise InputError(f"{where}: {_sentence(error.errors(include_url=False), fields)}") from error
    name = entry.place if made.id is None else str(made.id)
    try:
        return made.made(name, entry.source)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _renamed(value: dict[str, Any], fields: Mapping[str, str], ours: type[Shape[Made]], where: str) -> dict[str, Any]:
    for key in fields.values():
        if key not in value:
            raise InputError(f"{where}: there is no key {key!r}; it has {_listed(value)}")
    own = [key for key in ours.model_fields if key not in fields]
    _check_misspelt(set(value) - {*own, *fields.values()}, own, value, where)
    kept = {key: value[key] for key in own if key in value}
    return kept | {key: value[theirs] for key, theirs in fields.items()}


def _shape_of(value: dict[str, Any], shapes: Sequence[type[Shape[Made]]], where: str) -> type[Shape[Made]]:
    ours, *others = shapes
    if set(ours.required()) <= set(value):
        unknown = [key for key in value if key not in ours.model_fields]
        if unknown:
            raise InputError(f"{where}: {_unknown(unknown[0], value, ours)}")
        return ours
    fitting = [shape for shape in others if set(shape.required()) <= set(value)]
    if not fitting:
        unknown = [key for key in value if key not in ours.model_fields]
        for key in sorted(unknown, key=lambda key: _suggestion(key, value, ours) is None):
            if _suggestion(key, value, ours) is not None:
                raise InputError(f"{where}: {_unknown(key, value, ours)}")
        raise InputError(f"{where}: needs {_needs(shapes)}, got {_listed(value)}; fields= names other keys")
    if len(fitting) > 1:
        both = " and ".join(_quoted(shape.required()) for shape in fitting)
        raise InputError(f"{where}: has the keys of several formats, {both}; fields= says which to use")
    (shape,) = fitting
    beside = [key for key in value if key in OURS and key not in shape.model_fields]
    if beside:
        raise InputError(
            f"{where}: key {beside[0]!r} does not go with {_quoted(shape.required())}; fields= says which to use"
        )
    _check_misspelt(set(value) - set(shape.model_fields), list(shape.model_fields), value, where)
    return shape


def _check_misspelt(others: set[str], keys: Sequence[str], value: Mapping[str, Any], where: str) -> None:
    for key in sorted(others):
        near = difflib.get_close_matches(key, [right for right in keys if right not in {"id", *value}], n=1, cutoff=0.8)
        if near and not key.startswith(f"{near[0]}_"):
            raise InputError(f"{where}: unknown key {key!r}; did you mean {near[0]!r}?")


def _unknown(key: str, value: Mapping[str, Any], shape: type[BaseModel]) -> str:
    near = _suggestion(key, value, shape)
    advice = f"did you mean {near!r}?" if near else f"the keys are {_listed(shape.model_fields)}"
    return f"unknown key {key!r}; {advice}"


def _suggestion(key: str, value: Mapping[str, Any], shape: type[BaseModel]) -> str | None:
    free = [right for right in shape.model_fields if right not in value]
    near = difflib.get_close_matches(key.lower(), free, n=1)
    return near[0] if near else next((right for right in free if key in SYNONYMS.get(right, ())), None)


def _needs(shapes: Sequence[type[Shape[Made]]]) -> str:
    ours, *others = (_quoted(shape.required()) for shape in shapes)
    return f"{ours} (or {', or '.join(others)})"


def _quoted(keys: Sequence[str]) -> str:
    return " and ".join(f'"{key}"' for key in keys)


def _listed(keys: Mapping[str, Any]) -> str:
    return reprlib.repr(", ".join(keys)) if len(", ".join(keys)) > 100 else ", ".join(map(repr, keys)) or "no key"


def _short(identity: str | int) -> bool:
    return not isinstance(identity, bool) and len(reprlib.repr(identity)) < 80 and str(identity).isprintable()


def _type(value: object) -> str:
    names = {"NoneType": "null", "list": "a list", "str": "a string", "bool": "true or false", "int": "a number"}
    return {**names, "float": "a number"}.get(type(value).__name__, type(value).__name__)


def _sentence(errors: Sequence[Any], fields: Mapping[str, str]) -> str:
    error = errors[0]
    key = error["loc"][0]
    name = f'"{fields.get(key, key)}"'
    got = reprlib.repr(error["input"])
    if key == "id":
        return f"{name} must be a string or an integer, got {got}"
    if key in ("answers", "choices", "endings"):
        return f"{name} must be a list of at least 2 strings, got {got}"
    if key in ("correct", "label", "answer", "answerKey", "gold"):
        return f"{name} must be the index of an answer, or its letter, got {got}"
    return f"{name} {RULES.get(error['type'], 'is wrong')}, got {got}"


def _after(prompt: str, answer: str) -> str:
    joined = not prompt or not answer or prompt[-1:].isspace() or answer[:1].isspace()
    return answer if joined else f" {answer}"


def _index(key: str, label: Label, answers: Sequence[str], labels: Sequence[str] | None) -> int:
    """Return the index of the answer that a label names: a number from 0, a letter, or one of the given labels."""
    if isinstance(label, list) and len(label) == 1:
        (label,) = label
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    right = f"one of {', '.join(labels)}" if labels else f"the index of an answer, 0 to {len(answers) - 1}"
    wrong = InputError(f'"{key}" must be {right}, got {reprlib.repr(label)}')
    if isinstance(label, bool) or not isinstance(label, int | str):
        raise wrong
    written = str(label).strip() if isinstance(label, str) or labels else ""
    if labels is not None:
        if labels.count(written) != 1:
            raise wrong
        return list(labels).index(written)
    index = label if isinstance(label, int) else _number(written)
    if not 0 <= index < len(answers):
        raise wrong
    if written and written in answers and answers[index] != written:
        raise InputError(f'"{key}" is {written!r}, which is both a label and the text of another answer')
    return index


def _number(label: str) -> int:
    if label.isascii() and label.isdigit() and len(label) < 10:
        return int(label)
    return ord(label) - ord("A") if len(label) == 1 and "A" <= label <= "Z" else -1
