"""The model that lm-evaluation-harness calls: likelihoods of a masked diffusion model, one race per question."""

import enum
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any, Protocol

import torch
from tqdm import tqdm

from estimators import Estimator, InputError
from estimators.evaluate import available_device
from infodis_stats.estimates.questions import Budget, Finish, Question
from infodis_stats.estimates.races import race
from infodis_stats.estimates.settings import Execution, named_estimator
from infodis_stats.harness.arguments import read_budget, read_number, read_text_model
from infodis_stats.harness.installed import LM, register_model
from infodis_stats.harness.processes import Processes
from infodis_stats.harness.requests import Document, Request, choice_documents, numbered, rolling_documents
from infodis_stats.harness.scored import FailedQuestionsError, Scored
from infodis_stats.harness.tasks import needs_greedy
from infodis_stats.models import TextModel
from infodis_stats.models.huggingface.chat import chat_renderer, chat_template_of

__all__ = ["DiffusionLM", "FailedQuestionsError", "Greedy", "Ledger", "Scored"]


class Ledger(Protocol):
    """Keeps finished questions, so that an evaluation can be resumed."""

    def get(self, key: str) -> Finish | None:
        """Return what was put under a key; None if nothing was."""
        ...

    def put(self, key: str, finish: Finish) -> None:
        """Keep a finished question."""
        ...


class Greedy(enum.Enum):
    """What stands for the harness' ``is_greedy``, which a likelihood does not say; written as None.

    The harness asks it of every right choice, even if no metric needs it. `UNUSED` is then false; `UNKNOWN` raises
    `InputError`.
    """

    UNKNOWN = True
    UNUSED = False

    def __bool__(self) -> bool:
        if self is Greedy.UNKNOWN:
            raise InputError(
                "a metric asks whether greedy decoding would give the answer, which the likelihood of a diffusion "
                "model does not say: leave out acc of loglikelihood tasks and exact_match of multiple_choice tasks"
            )
        return False

    def __int__(self) -> int:
        return int(bool(self))

    def __repr__(self) -> str:
        return "None"

    __str__ = __repr__


class DiffusionLM(LM):  # type: ignore[misc]  # lm_eval has no types
    """A model that scores text, for the tasks of lm-evaluation-harness; registered there as ``infodis``.

    Parameters
    ----------
    model : str or TextModel
        What `load_model` takes, or a loaded model. ``pretrained`` is another name for it.
    error : float, optional
        Races end when the best choice, by each accuracy of the task, is settled with this probability of an error. This
        is the default, with 0.01. Where metrics need likelihoods instead of a winner, ``most_passes`` are spent.
    passes : int, optional
        Instead: a fixed number of passes for each choice or window.
    precision : float, optional
        Instead: passes until the 95 % interval of each choice or text has this half-width, nats.
    most_passes : int, default 128
        Most passes for each choice or window.
    estimator : str or Estimator, default "auto"
        Another one needs ``passes``.
    seed : int, default 0
    overlap : int, optional
        Tokens given before the first scored token of each further window of a long text. Default: a quarter of the
        model's longest sequence.
    batch_size : int, optional
        Rows per call of the model. Default, also for ``"auto"``: chosen by its size.
    device : str or torch.device, default "cpu"
        With several processes, ``"cuda"`` is the GPU of each.
    tasks : mapping of str to lm_eval.api.task.Task, optional
        The harness' tasks by name: they say which accuracies are to be settled. Default: all that it has.
    ledger : Ledger, optional
        Where finished questions are kept.
    **options
        Of `load_model`, such as ``trust_remote_code=True``.

    Attributes
    ----------
    model : TextModel
    tasks : dict
        As given.

    Raises
    ------
    InputError
        If an argument is wrong or unknown, or as in `load_model`.

    Notes
    -----
    The choices of a document are one race with shared masks. Context and continuation are encoded together, as the
    harness does it for causal models; of a context that is too long, the last tokens are given. A model's own special
    tokens before and after a text are added by the model.

    In ``torchrun`` or ``accelerate launch``, each process scores its share of the documents. The numbers do not depend
    on how many there are, nor on the batch size, but for rounding.

    Examples
    --------
    >>> import lm_eval
    >>> import infodis_stats.harness.language_model  # registers it
    >>> lm_eval.simple_evaluate(
    ...     model="infodis", model_args="pretrained=hf:FOLDER,passes=32", tasks=["arc_easy"]
    ... )  # doctest: +SKIP
    >>> DiffusionLM("austen", error=0.05).budget.error
    0.05
    """

    def __init__(
        self,
        model: str | TextModel | None = None,
        *,
        pretrained: str | TextModel | None = None,
        error: float | None = None,
        passes: int | None = None,
        precision: float | None = None,
        most_passes: int = 128,
        estimator: str | Estimator = "auto",
        seed: int = 0,
        overlap: int | None = None,
        batch_size: int | str | None = None,
        device: str | torch.device = "cpu",
        tasks: Mapping[str, Any] | None = None,
        ledger: Ledger | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.budget = read_budget(error, passes, precision, most_passes)
        self.estimator = estimator
        named_estimator(estimator)
        self.seed = read_number("seed", seed, int)
        self.processes = Processes.started()
        self._rank, self._world_size = self.processes.rank, self.processes.count
        self._device = torch.device(available_device(self.processes.device(device)))
        chosen = batch_size is not None and not str(batch_size).startswith("auto")
        rows = read_number("batch_size", batch_size, int) if chosen else None
        self.execution = Execution(rows, self._device)
        self.model = read_text_model(model, pretrained, self._device, options, type(self))
        self.overlap = self._checked_overlap(overlap)
        self.tasks = dict(tasks or {})
        self.ledger = ledger
        self._finishes: dict[str, Finish] = {}
        self._scored: dict[tuple[str, str], list[Scored]] = {}

    # -- what the harness calls

    def loglikelihood(self, requests: Sequence[Request], disable_tqdm: bool = False) -> list[tuple[float, Greedy]]:
        """Return the log-likelihood of each continuation in its context, nats.

        Parameters
        ----------
        requests : sequence of lm_eval.api.instance.Instance
        disable_tqdm : bool, default False

        Returns
        -------
        list of (float, Greedy)
            The second value stands for the harness' ``is_greedy``: whether greedy decoding would give the continuation.
            A likelihood does not say, so its use raises `InputError`; but of choices of a task that is not known, or
            known to have no metric that needs it, it is false.

        Raises
        ------
        FailedQuestionsError
            If questions cannot be asked or the model fails on them, after all others have been scored.
        """
        documents = choice_documents(requests, self.model, self.tasks)
        greedy = {
            (each.task, each.doc_id): Greedy(needs_greedy(self.tasks.get(each.task), len(each.numbers)))
            for each in documents
        }
        values = self._values("loglikelihood", requests, documents, quiet=disable_tqdm)
        return [
            (value, greedy[request.task_name or "", request.doc_id or 0])
            for request, value in zip(requests, values, strict=True)
        ]

    def loglikelihood_rolling(self, requests: Sequence[Request], disable_tqdm: bool = False) -> list[float]:
        """Return the log-likelihood of each text, nats; texts that are too long are scored in windows.

        Parameters
        ----------
        requests : sequence of lm_eval.api.instance.Instance
        disable_tqdm : bool, default False

        Raises
        ------
        FailedQuestionsError
            As in `loglikelihood`.
        """
        documents = rolling_documents(requests, self.model, self.overlap)
        return self._values("loglikelihood_rolling", requests, documents, quiet=disable_tqdm)

    def generate_until(self, requests: Sequence[Request], disable_tqdm: bool = False) -> list[str]:
        """Refuse tasks that need generated text. Raises `InputError`."""
        names = ", ".join(dict.fromkeys(repr(request.task_name) for request in requests))
        raise InputError(
            f"the task {names} needs generated text, but this model gives likelihoods alone: leave out tasks of the "
            "output type generate_until"
        )

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """Render a conversation by the chat template of the model's tokenizer.

        Parameters
        ----------
        chat_history : list of dict
            Messages with ``role`` and ``content``.
        add_generation_prompt : bool, default True
            Whether the header of the assistant's answer follows; otherwise the last message stays open.

        Raises
        ------
        InputError
            If the tokenizer has no chat template, or it cannot render the conversation.
        """
        text: str = self._render(chat_history, add_generation_prompt)
        return text

    def chat_template(self, chat_template: bool | str = False) -> str | None:
        """Return the chat template of the model's tokenizer, or None if it is not asked for.

        Raises
        ------
        InputError
            If it has none, or one of several is asked for by its name: the harness renders by the default.
        """
        if chat_template is False or chat_template is None:
            return None
        if chat_template is not True:
            raise InputError(
                f"the chat template {chat_template!r} cannot be chosen by its name: use apply_chat_template=True "
                "for the tokenizer's own"
            )
        return chat_template_of(self.model)

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers; None if the model has another one."""
        tokenizer = getattr(self.model, "tokenizer", None)
        return tokenizer if hasattr(tokenizer, "apply_chat_template") else None

    @property
    def tokenizer_name(self) -> str:
        """Name of the tokenizer, by which the harness caches rendered requests."""
        name = self.model.describe() if self.tokenizer is None else str(self.tokenizer.name_or_path)
        return name.replace("/", "__")

    @property
    def max_length(self) -> int:
        """Longest sequence in tokens, context included."""
        return self.model.longest

    def get_model_info(self) -> dict[str, Any]:
        """Return what the harness records in its results beside its own settings."""
        settings = self._settings(self.budget) | {"overlap": self.overlap, "model": self.model.describe()}
        return {"mask_settings": settings}

    def all_gather(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the tensors of all processes in one."""
        return self.processes.concatenated(tensor)

    def gather_object(self, obj: Any, dst: int = 0) -> list[Any] | None:
        """Return the objects of all processes in the process ``dst``; None in the others."""
        return self.processes.gathered(obj, dst)

    def barrier(self) -> None:
        """Wait until all processes are here."""
        self.processes.wait()

    # -- what the command asks for

    def gathered(self) -> list[Scored]:
        """Return what was scored last of each task and type of request, by all processes; all must call this.

        Returns
        -------
        list of Scored
            In the order of tasks and documents, failed ones included; empty but in the first process.
        """
        parts = self.processes.gathered(self._scored)
        if parts is None:
            return []
        names = dict.fromkeys(name for part in parts for name in part)
        return [
            scored
            for name in names
            for scored in sorted((each for part in parts for each in part.get(name, [])), key=_number_of)
        ]

    def settings(self) -> dict[str, Any]:
        """Return the estimator, the budget, the seed and the overlap of windows."""
        named = self.estimator if isinstance(self.estimator, str) else self.estimator.name
        return {"estimator": named, "seed": self.seed, "overlap": self.overlap, **asdict(self.budget)}

    # -- questions

    def _values(
        self, kind: str, requests: Sequence[Request], documents: Sequence[Document], *, quiet: bool
    ) -> list[float]:
        """Score documents; return the log-likelihood of each request."""
        scored = self._score(self._numbered(documents), quiet=quiet)
        by_task: dict[tuple[str, str], list[Scored]] = defaultdict(list)
        for each in scored:
            by_task[kind, each.document.task].append(each)
        self._scored |= by_task
        own = {(each.document.task, each.document.doc_id): each.problem for each in scored}
        shares = self.processes.everywhere(own)
        problems = {name: problem for share in shares for name, problem in share.items() if problem}
        if problems:
            raise FailedQuestionsError(dict(sorted(problems.items())), sum(map(len, shares)))
        values = {
            (each.document.task, each.document.doc_id, number): value
            for each in scored
            for number, value in zip(each.document.numbers, each.log_likelihoods.tolist(), strict=True)
        }
        return [values[request.task_name or "", request.doc_id or 0, request.idx] for request in requests]

    def _numbered(self, documents: Sequence[Document]) -> list[Document]:
        """Give equal documents of a task numbers, over all processes, by their order in the task."""
        own = [(each.task, each.content, each.doc_id) for each in documents]
        seen: Counter[tuple[str, str]] = Counter()
        numbers = {}
        for task, content, doc_id in sorted(name for share in self.processes.everywhere(own) for name in share):
            numbers[task, content, doc_id] = seen[task, content]
            seen[task, content] += 1
        return numbered(documents, [numbers[name] for name in own])

    def _score(self, documents: Sequence[Document], *, quiet: bool) -> list[Scored]:
        budgets = [self._budget_of(document) for document in documents]
        keys = [
            [self._key(question, budget) for question in document.questions]
            for document, budget in zip(documents, budgets, strict=True)
        ]
        waiting: dict[Budget, dict[str, Question]] = defaultdict(dict)
        for document, budget, own in zip(documents, budgets, keys, strict=True):
            for key, question in zip(own, document.questions, strict=True):
                if not self._known(key):
                    waiting[budget][key] = question
        new = {}
        total = sum(map(len, waiting.values()))
        with tqdm(total=total, desc="Questions", unit="", disable=quiet or self.rank != 0 or None) as bar:
            for budget, questions in waiting.items():
                finishes = race(
                    self.model,
                    list(questions.values()),
                    budget=budget,
                    estimator=self.estimator,
                    seed=self.seed,
                    execution=self.execution,
                )
                for key, finish in zip(questions, finishes, strict=True):
                    self._finishes[key] = new[key] = finish
                    if self.ledger is not None and finish.problem is None:
                        self.ledger.put(key, finish)
                    bar.update()
        # Another split of the documents, without failed ones, may need what another process has finished.
        for share in self.processes.everywhere(new):
            self._finishes |= share
        return [
            Scored(document, tuple(self._finishes[key] for key in own))
            for document, own in zip(documents, keys, strict=True)
        ]

    def _known(self, key: str) -> bool:
        if key not in self._finishes and self.ledger is not None:
            finish = self.ledger.get(key)
            if finish is not None:
                self._finishes[key] = finish
        return key in self._finishes

    def _budget_of(self, document: Document) -> Budget:
        """Return the budget of each question of a document, which may have several, or no winner to settle."""
        if self.budget.error is not None and document.needs_values:
            return Budget(error=None, passes=self.budget.most_passes)
        if self.budget.precision is not None and len(document.questions) > 1:
            # The half-width of a sum of independent windows is the root of the sum of their squares.
            return replace(self.budget, precision=self.budget.precision / len(document.questions) ** 0.5)
        return self.budget

    def _settings(self, budget: Budget) -> dict[str, Any]:
        """Return what the numbers of a question depend on beside itself."""
        estimator = self.estimator if isinstance(self.estimator, str) else repr(self.estimator)
        settings = {"fingerprint": self._fingerprint, "estimator": estimator, "seed": self.seed}
        return settings | {name: value for name, value in asdict(budget).items() if value is not None}

    def _key(self, question: Question, budget: Budget) -> str:
        digest = hashlib.sha256(json.dumps(self._settings(budget), sort_keys=True).encode())
        for target in question.targets:
            digest.update(f"{target.key} {len(target.tokens)} {target.length}".encode())
            digest.update(target.tokens.astype("<i8").tobytes() + target.scored.astype("<i8").tobytes())
        for name, rows in sorted(question.scores.items()):
            digest.update(f"{name} {rows.shape}".encode() + rows.astype("<f8").tobytes())
        return digest.hexdigest()

    @cached_property
    def _fingerprint(self) -> str:
        return self.model.fingerprint()

    @cached_property
    def _render(self) -> Any:
        return chat_renderer(self.model)

    def _checked_overlap(self, overlap: object) -> int:
        if overlap is None:
            return self.model.longest // 4
        number: int = read_number("overlap", overlap, int)
        if not 0 <= number < self.model.longest:
            raise InputError(
                f"overlap must be at least 0 and below the model's {self.model.longest} tokens, got {number}"
            )
        return number


register_model("infodis")(DiffusionLM)


def _number_of(scored: Scored) -> int:
    return scored.document.doc_id
