"""Chat templates: prompts as a tokenizer renders them for a model that was tuned on conversations."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

from estimators import ConditionalModel, InputError
from infodis_stats.io.records import Question, Record, TextPair
from infodis_stats.models.huggingface.folder import first_line

__all__ = ["with_chat_template"]

INSTEAD = "leave out system_prompt=, or put it into the prompts"

Prompted = TypeVar("Prompted", Record, TextPair, Question)


def with_chat_template(
    records: Sequence[Prompted], model: ConditionalModel, *, system_prompt: str | None = None
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
        If the model has no tokenizer of transformers, the tokenizer has no chat template, or the template fails or
        ignores the system prompt.

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
    tokenizer: Any = getattr(model, "tokenizer", None)
    if not hasattr(tokenizer, "apply_chat_template"):
        raise InputError("a chat template needs a model with a tokenizer of transformers, and this one has none")
    if not getattr(tokenizer, "chat_template", None):
        raise InputError(
            "the tokenizer of the model has no chat template: score the prompts as they are, or specify a tokenizer "
            "that has one with tokenizer= when loading it"
        )
    front = "".join(tokenizer.convert_ids_to_tokens(list(getattr(model, "before", ()))))
    return [
        replace(record, prompt=_rendered(tokenizer, record.name, record.prompt, system_prompt).removeprefix(front))
        for record in records
    ]


def _rendered(tokenizer: Any, name: str, prompt: str, system_prompt: str | None) -> str:
    messages = [{"role": "user", "content": prompt}]
    if system_prompt is not None:
        messages.insert(0, {"role": "system", "content": system_prompt})
    try:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except Exception as error:  # a template is a program of its authors, which may raise anything
        if system_prompt is None:
            raise InputError(
                f"{name!r}: the chat template of the tokenizer cannot render the prompt: {first_line(error)}"
            ) from error
        _rendered(tokenizer, name, prompt, None)  # fails if the prompt is the problem
        raise InputError(
            f"the chat template of the tokenizer refuses a system prompt ({first_line(error)}): {INSTEAD}"
        ) from error
    if system_prompt is not None and system_prompt.strip() not in text:
        raise InputError(f"the chat template of the tokenizer ignores the system prompt: {INSTEAD}")
    return text
