"""Chat templates: prompts as a tokenizer renders them for a model that was tuned on conversations."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from estimators import InputError, Model
from infodis_stats.io.records import Question, Record, TextPair
from infodis_stats.models.huggingface.folder import first_line

__all__ = ["chat_renderer", "chat_template_digest", "chat_template_of", "with_chat_template"]

INSTEAD = "leave out system_prompt=, or put it into the prompts"
PLAIN = "score the prompts as they are, or render them yourself"
USER, SYSTEM, ASSISTANT = (f"The{role}Message0" for role in ("User", "System", "Assistant"))  # to find them again
CLOCK = "strftime_now"  # the function by which templates of transformers ask for the date
SET_CLOCK = f"{{{{% macro {CLOCK}(format) %}}}}{{}}{{{{% endmacro %}}}}"

Prompted = TypeVar("Prompted", Record, TextPair, Question)


def with_chat_template(
    records: Sequence[Prompted], model: Model, *, system_prompt: str | None = None
) -> list[Prompted]:
    """Put the prompts of records into the chat template of a model's tokenizer.

    Each prompt becomes the message of a user, followed by the header of the assistant's answer. What is scored is
    unchanged, and so begins where the model's answer would. The token that ends the turn is scored only if the text
    contains it.

    Parameters
    ----------
    records : sequence of Record, TextPair or Question
        A prompt may be empty: the message is then empty.
    model : MaskedLanguageModel
        Or another model with a tokenizer of transformers as its attribute ``tokenizer``, such as an accelerated one.
        Special tokens that it adds before every sequence (``before``) are removed from the beginning of the template,
        so that they do not occur twice.
    system_prompt : str, optional
        A message of the system before that of the user. Default: none, or the one that the template itself adds.

    Returns
    -------
    list of Record, TextPair or Question
        The same records with the rendered prompts.

    Raises
    ------
    InputError
        If the model has no tokenizer of transformers or the tokenizer no chat template; or the template fails, changes
        a prompt, ignores the system prompt, does not open the answer of the assistant, or depends on the date.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> model = ids.load_model("hf:GSAI-ML/LLaDA-8B-Instruct", trust_remote_code=True)  # doctest: +SKIP
    >>> records = [ids.Record("sum", prompt="What is 1 + 1?", response="2")]
    >>> print(ids.with_chat_template(records, model)[0].prompt)  # doctest: +SKIP
    <|startoftext|><|start_header_id|>user<|end_header_id|>
    <BLANKLINE>
    What is 1 + 1?<|eot_id|><|start_header_id|>assistant<|end_header_id|>
    <BLANKLINE>
    <BLANKLINE>
    """
    tokenizer = _tokenizer(model)
    if records:
        _check_template(tokenizer, records[0].name, system_prompt)
    front = _front(tokenizer, model)
    return [
        replace(record, prompt=_with_prompt(tokenizer, record, system_prompt).removeprefix(front)) for record in records
    ]


def chat_renderer(model: Model) -> Callable[[list[dict[str, str]], bool], str]:
    """Return a function that renders conversations by the chat template of a model's tokenizer.

    The function takes messages with ``role`` and ``content``, and whether the header of the assistant's answer follows;
    otherwise the last message, an answer, stays open. Special tokens that the model adds before every sequence are
    removed from the beginning, as in `with_chat_template`.

    Raises
    ------
    InputError
        If there is no such template, or as in `with_chat_template`; the function: if a conversation cannot be rendered.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> render = chat_renderer(ids.load_model("hf:GSAI-ML/LLaDA-8B-Instruct"))  # doctest: +SKIP
    >>> render([{"role": "user", "content": "What is 1 + 1?"}], True)  # doctest: +SKIP
    """
    tokenizer = _tokenizer(model)
    _check_template(tokenizer, "conversation", None)
    front = _front(tokenizer, model)

    def render(messages: list[dict[str, str]], open_answer: bool) -> str:
        text = _rendered(
            tokenizer,
            "conversation",
            messages,
            add_generation_prompt=open_answer,
            **({} if open_answer else {"continue_final_message": True}),
        )
        return text.removeprefix(front)

    return render


def chat_template_digest(model: Model) -> str:
    """Return the SHA-256 of the chat template of a model's tokenizer, in hexadecimal.

    Raises
    ------
    InputError
        If the model has no tokenizer of transformers or the tokenizer no chat template.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> model = ids.load_model("hf:GSAI-ML/LLaDA-8B-Instruct", trust_remote_code=True)  # doctest: +SKIP
    >>> len(chat_template_digest(model))  # doctest: +SKIP
    64
    """
    return hashlib.sha256(_source(_tokenizer(model)).encode()).hexdigest()


def chat_template_of(model: Model) -> str:
    """Return the chat template of a model's tokenizer, its default if there are several.

    Raises
    ------
    InputError
        If the model has no tokenizer of transformers or the tokenizer no chat template.

    Examples
    --------
    >>> import infodis_stats as ids
    >>> chat_template_of(ids.load_model("austen"))
    Traceback (most recent call last):
    estimators.errors.InputError: a chat template needs a model with a tokenizer of transformers, and this one has none
    """
    template: str = _tokenizer(model).get_chat_template()
    return template


def _front(tokenizer: Any, model: Model) -> str:
    """Return the special tokens that a model adds before every sequence, as text."""
    return "".join(tokenizer.convert_ids_to_tokens(list(getattr(model, "before", ()))))


def _tokenizer(model: Model) -> Any:
    tokenizer: Any = getattr(model, "tokenizer", None)
    if not hasattr(tokenizer, "apply_chat_template"):
        raise InputError("a chat template needs a model with a tokenizer of transformers, and this one has none")
    if not getattr(tokenizer, "chat_template", None):
        raise InputError(
            "the tokenizer of the model has no chat template: score the prompts as they are, or specify a tokenizer "
            "that has one with tokenizer= when loading it"
        )
    return tokenizer


def _source(tokenizer: Any) -> str:
    """Return the template; all of them if the tokenizer has several by name."""
    templates = tokenizer.chat_template
    return templates if isinstance(templates, str) else repr(sorted(dict(templates).items()))


def _check_template(tokenizer: Any, name: str, system_prompt: str | None) -> None:
    """Refuse a template by which a response would not be scored where the model answers."""

    def render(system: str | None, *answer: str, **arguments: Any) -> str:
        return _rendered(tokenizer, name, _messages(USER, system, *answer), **arguments)

    opened = render(system_prompt)
    if USER not in opened:
        raise InputError(f"the chat template of the tokenizer changes the prompt or leaves it out: {PLAIN}")
    # The text of a system prompt alone proves nothing: it may be a part of what the template says anyway.
    if system_prompt is not None and (
        SYSTEM not in render(SYSTEM) or system_prompt.strip() not in opened.replace(USER, "")
    ):
        raise InputError(f"the chat template of the tokenizer ignores the system prompt: {INSTEAD}")
    if opened == render(system_prompt, add_generation_prompt=False):
        # Some templates always end with the header of an answer: then an answer follows it immediately.
        answered = render(system_prompt, ASSISTANT, add_generation_prompt=False)
        if not answered.startswith(opened + ASSISTANT):
            raise InputError(
                "the chat template of the tokenizer does not open the answer of the assistant "
                f"(add_generation_prompt changes nothing): {PLAIN}"
            )
    days = [opened, render(system_prompt)]
    if CLOCK in _source(tokenizer):
        template = tokenizer.get_chat_template()
        days = [render(system_prompt, chat_template=SET_CLOCK.format(day) + template) for day in ("Monday", "Tuesday")]
    if days[0] != days[1]:
        raise InputError(
            "the chat template of the tokenizer depends on the date or on chance, so that the same prompt has another "
            f"likelihood tomorrow: {PLAIN}"
        )


def _messages(prompt: str, system_prompt: str | None, *answer: str) -> list[dict[str, str]]:
    roles = [("system", system_prompt), ("user", prompt), *(("assistant", text) for text in answer)]
    return [{"role": role, "content": content} for role, content in roles if content is not None]


def _with_prompt(tokenizer: Any, record: Record | TextPair | Question, system_prompt: str | None) -> str:
    text = _rendered(tokenizer, record.name, _messages(record.prompt, system_prompt))
    if record.prompt.strip() not in text:
        raise InputError(f"{record.name!r}: the chat template of the tokenizer changes the prompt: {PLAIN}")
    return text


def _rendered(tokenizer: Any, name: str, messages: list[dict[str, str]], **arguments: Any) -> str:
    try:
        text: str = tokenizer.apply_chat_template(
            messages, tokenize=False, **({"add_generation_prompt": True} | arguments)
        )
    except Exception as error:  # a template is a program of its authors, which may raise anything
        if messages[0]["role"] != "system":
            raise InputError(
                f"{name!r}: the chat template of the tokenizer cannot render the prompt: {first_line(error)}"
            ) from error
        _rendered(tokenizer, name, messages[1:], **arguments)  # which of the two it refuses
        raise InputError(
            f"the chat template of the tokenizer refuses a system prompt ({first_line(error)}): {INSTEAD}"
        ) from error
    return text
