"""From the harness' requests to questions: grouped by document, encoded as the harness does, duplicates once."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from estimators import InfodisError, InputError, Target, make_targets
from estimators.model import in_blocks, needs_context
from infodis_stats.estimates.questions import Question
from infodis_stats.estimates.texts import windows
from infodis_stats.harness.tasks import Scoring, scoring_of
from infodis_stats.models import Encoded, TextModel

__all__ = ["Document", "Request", "choice_documents", "encoded_pair", "numbered", "rolling_documents"]

Tokens = NDArray[np.int64]
NOTHING = np.empty(0, dtype=np.int64)
SHOWN = 40  # characters of a continuation in messages


class Request(Protocol):
    """What is used of the harness' ``Instance``."""

    doc: Any
    idx: int
    task_name: str | None
    doc_id: int | None

    @property
    def args(self) -> tuple[Any, ...]:
        """Context and continuation; of a rolling request the text."""
        ...


@dataclass(frozen=True, eq=False)
class Document:
    """What a task asks about one document.

    Attributes
    ----------
    task : str
    doc_id : int
        The harness' number of the document. With ``samples``, that among the chosen documents.
    doc : object
        The document itself.
    questions : tuple of Question
        One about all choices; of a text, one per window. None if it cannot be asked.
    parts : array of float64, shape (request, target)
        Minus its product with the negative log-likelihoods of all targets, in the order of the questions, are the
        log-likelihoods of the requests in the order of their ``idx``.
    numbers : tuple of int
        The ``idx`` of the requests.
    sizes : mapping of str to array of float64, shape (choice,)
        What the log-likelihood of each choice is divided by, for each accuracy that decides.
    dropped : array of int64, shape (request,)
        Tokens of the context that did not fit into the model.
    needs_values : bool
        Whether the metrics need the log-likelihoods and not only the best choice.
    content : str
        Digest of what is scored. Equal documents of a task have equal ones.
    problem : str
        Why it cannot be asked; empty if it can.
    """

    task: str
    doc_id: int
    doc: Any
    questions: tuple[Question, ...] = ()
    parts: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    numbers: tuple[int, ...] = ()
    sizes: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    dropped: NDArray[np.int64] = field(default_factory=lambda: NOTHING)
    needs_values: bool = False
    content: str = ""
    problem: str = ""

    @property
    def name(self) -> str:
        """Its name in messages."""
        return f"task {self.task!r}, document {self.doc_id}"

    @property
    def choices(self) -> int:
        """Number of choices: of requests, without those of mutual information."""
        return len(next(iter(self.sizes.values()), self.numbers))


def choice_documents(
    requests: Iterable[Request], model: TextModel, tasks: Mapping[str, Any] | None = None
) -> list[Document]:
    """Group requests for likelihoods of continuations into one question per document.

    Parameters
    ----------
    requests : iterable of Request
        Repeated ones count once.
    model : TextModel
    tasks : mapping of str to lm_eval.api.task.Task, optional
        The harness' tasks by name. They say which accuracies matter and how long the choices are. Default: all
        accuracies, and the lengths of the continuations without the white space before all of them.

    Returns
    -------
    list of Document
        In the order of their first requests; a document that cannot be asked has a ``problem``.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from infodis_stats import load_model
    >>> choices = [" a truth", " so", " so"]
    >>> requests = [
    ...     SimpleNamespace(args=("It is", choice), idx=idx, doc={}, task_name="opening", doc_id=0)
    ...     for idx, choice in enumerate(choices)
    ... ]
    >>> (document,) = choice_documents(requests, load_model("austen"))
    >>> [target.length for target in document.questions[0].targets], document.parts.tolist()
    ([8, 3], [[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> document.sizes["acc_norm"].tolist()
    [7.0, 2.0, 2.0]
    """
    tasks = {} if tasks is None else tasks
    return [_choices(*group, model, tasks.get(group[0])) for group in _grouped(requests)]


def rolling_documents(requests: Iterable[Request], model: TextModel, overlap: int) -> list[Document]:
    """Cut the texts of rolling requests into windows, one question each, that score every token once.

    Parameters
    ----------
    requests : iterable of Request
    model : TextModel
    overlap : int
        Tokens given before the first scored token of each further window; below the longest sequence of the model.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from infodis_stats import load_model
    >>> request = SimpleNamespace(args=("It is a truth " * 20,), idx=0, doc={}, task_name="novel", doc_id=0)
    >>> (document,) = rolling_documents([request], load_model("austen"), overlap=32)
    >>> [question.targets[0].length for question in document.questions]
    [128, 96, 56]
    """
    return [_rolling(*group, model, overlap) for group in _grouped(requests)]


def encoded_pair(model: TextModel, context: str, continuation: str) -> tuple[Tokens, Tokens]:
    """Encode a context and its continuation as the harness does.

    Spaces at the end of the context move to the continuation. Both are encoded together, and the tokens of the
    continuation are those after as many tokens as the context has alone. An empty context has no tokens.

    Raises
    ------
    InputError
        If the model cannot encode a part of the text.

    Examples
    --------
    >>> from infodis_stats import load_model
    >>> context, continuation = encoded_pair(load_model("austen"), "It ", "is")
    >>> len(context), len(continuation)
    (2, 3)
    """
    kept = context.rstrip()
    given = model.encode(kept) if kept else NOTHING  # some tokenizers give even the empty text a token
    whole = model.encode(context + continuation) if context + continuation else NOTHING
    return given, whole[len(given) :]


def numbered(documents: Sequence[Document], occurrences: Sequence[int]) -> list[Document]:
    """Return documents whose random streams depend on their content and their occurrence numbers among equal ones."""
    return [
        replace(document, questions=tuple(_keyed(question, f"#{number}") for question in document.questions))
        for document, number in zip(documents, occurrences, strict=True)
    ]


def _grouped(requests: Iterable[Request]) -> list[tuple[str, int, list[Request]]]:
    """Return the requests of each document, ordered by their ``idx``, each once."""
    groups: dict[tuple[str, int], dict[int, Request]] = defaultdict(dict)
    for request in requests:
        groups[request.task_name or "", request.doc_id or 0][request.idx] = request
    return [
        (task, doc_id, [by_number[number] for number in sorted(by_number)])
        for (task, doc_id), by_number in groups.items()
    ]


def _choices(task: str, doc_id: int, requests: list[Request], model: TextModel, loaded: Any) -> Document:
    document = Document(task, doc_id, requests[0].doc, numbers=tuple(request.idx for request in requests))
    try:
        encoded, dropped = zip(*[_fitted(model, request, len(requests)) for request in requests], strict=True)
        return _asked(document, model, encoded, dropped, scoring_of(loaded, requests))
    except InfodisError as error:
        return replace(document, problem=f"{document.name}: {error}")


def _asked(
    document: Document, model: TextModel, encoded: Sequence[Encoded], dropped: Sequence[int], scoring: Scoring
) -> Document:
    distinct: dict[tuple[bytes, bytes], int] = {}
    target_of = [distinct.setdefault((tokens.tobytes(), given.tobytes()), len(distinct)) for tokens, given in encoded]
    firsts = [target_of.index(number) for number in range(len(distinct))]
    targets = make_targets([encoded[first].tokens for first in firsts], [encoded[first].given for first in firsts])
    labelled = [
        replace(target, label=f"choice {document.numbers[first]}")
        for target, first in zip(targets, firsts, strict=True)
    ]
    parts = np.eye(len(distinct))[target_of]
    scores = {name: scoring.matrix(name, parts) for name in scoring.sizes}
    content = _digest(sorted(_content(target) for target in targets))
    question = _shared_stream(Question(document.name, tuple(labelled), scores), f"race:{content}", model)
    return replace(
        document,
        questions=(question,),
        parts=parts,
        sizes=scoring.sizes,
        dropped=np.array(dropped, dtype=np.int64),
        needs_values=scoring.needs_values,
        content=content,
    )


def _fitted(model: TextModel, request: Request, count: int) -> tuple[Encoded, int]:
    """Encode a request; of a context that is too long, the last tokens are given. Return how many were dropped, too."""
    context, continuation = request.args[:2]
    which = f"continuation{f' of choice {request.idx}' if count > 1 else ''} ({_shortened(continuation)})"
    try:
        given, scored = encoded_pair(model, context, continuation)
    except InputError as error:
        raise InputError(f"context and {which} cannot be encoded: {error}") from error
    if not len(scored):
        raise InputError(f"the {which} has no tokens of its own, so there is nothing to score")
    if len(scored) > model.longest:
        raise InputError(f"the {which} has {len(scored)} tokens, but the model takes at most {model.longest}")
    dropped = max(0, len(given) + len(scored) - model.longest)
    tokens = np.concatenate([given[dropped:], scored])
    return Encoded(tokens, np.arange(len(tokens)) < len(given) - dropped), dropped


def _rolling(task: str, doc_id: int, requests: list[Request], model: TextModel, overlap: int) -> Document:
    (request,) = requests
    document = Document(task, doc_id, request.doc, numbers=(request.idx,), needs_values=True)
    (text,) = request.args
    try:
        if not text:
            raise InputError("the text is empty, so there is nothing to score")
        pieces = windows(NOTHING, model.encode(text), model.longest, overlap)
        if needs_context(model) and len(pieces) > 1:
            raise InputError(
                f"guidance masks what is given, which only the first of its {len(pieces)} windows lacks; load the "
                "model without guidance"
            )
        targets = [make_targets([piece.tokens], [piece.given])[0] for piece in pieces]
        content = _digest([_content(target) for target in targets])
        questions = [
            _shared_stream(
                Question(document.name, (replace(target, label=f"window {number + 1} of {len(targets)}"),), {}),
                f"window {number}:{content}",
                model,
            )
            for number, target in enumerate(targets)
        ]
    except InfodisError as error:
        return replace(document, problem=f"{document.name}: {error}")
    return replace(
        document,
        questions=tuple(questions),
        parts=np.ones((1, len(questions))),
        dropped=np.zeros(1, dtype=np.int64),
        content=content,
    )


def _shared_stream(question: Question, key: str, model: TextModel) -> Question:
    """Give all targets one random stream; refuse those whose context the model does not see."""
    targets = tuple(replace(target, key=key) for target in question.targets)
    for target in targets:
        in_blocks(target, model)
    return replace(question, targets=targets)


def _keyed(question: Question, suffix: str) -> Question:
    return replace(question, targets=tuple(replace(each, key=each.key + suffix) for each in question.targets))


def _content(target: Target) -> str:
    # Of a target made alone or beside different ones: its key without the occurrence number.
    return target.key.split("#")[0]


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _shortened(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")
