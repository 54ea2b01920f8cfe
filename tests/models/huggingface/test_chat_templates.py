"""Chat templates: prompts as the tokenizer renders them, with the response scored after the assistant's header."""

import hashlib
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import infodis_stats as ids
from estimators import InputError
from infodis_stats.commands.models import chat_attributes
from infodis_stats.io.records import Question
from infodis_stats.models.huggingface import MaskedLanguageModel, load_huggingface
from infodis_stats.models.huggingface.chat import chat_template_digest
from tests.support.chat_checkpoints import BOS, MASK, TEMPLATES, write_chat_checkpoint
from tests.support.toys import mean_over_masks

RECORDS = [ids.Record("first", " A B", "C D E"), ids.Record("second", "one two", "F")]
FIRST = {
    ("llada", None): "<|bos|><|header|>user<|/header|>\n\nA B<|eot|><|header|>assistant<|/header|>\n\n",
    ("llada", "be kind"): (
        "<|bos|><|header|>system<|/header|>\n\nbe kind<|eot|><|header|>user<|/header|>\n\nA B<|eot|>"
        "<|header|>assistant<|/header|>\n\n"
    ),
    ("dream", None): (
        "<|im_start|>system\nbe kind<|im_end|>\n<|im_start|>user\n A B<|im_end|>\n<|im_start|>assistant\n"
    ),
    ("dream", "be one"): (
        "<|im_start|>system\nbe one<|im_end|>\n<|im_start|>user\n A B<|im_end|>\n<|im_start|>assistant\n"
    ),
}


def model(folder: Path, family: str = "llada", template: str | None = None, **options: object) -> MaskedLanguageModel:
    write_chat_checkpoint(folder, family, TEMPLATES[template or family])
    return load_huggingface(folder, trust_remote_code=True, **options)


@pytest.mark.parametrize(("family", "system"), FIRST)
def test_prompts_are_rendered_by_the_template_of_the_tokenizer(family, system, tmp_path):
    made = model(tmp_path, family)
    rendered = ids.with_chat_template(RECORDS, made, system_prompt=system)
    assert rendered[0] == ids.Record("first", FIRST[family, system], "C D E")
    assert [record.name for record in rendered] == ["first", "second"]
    # The tokens of the prompt are those that the tokenizer itself makes of the conversation.
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": " A B"})
    expected = made.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert made.encode(rendered[0].prompt).tolist() == expected
    assert RECORDS[0].prompt == " A B"  # the records themselves do not change


def test_pairs_and_questions_keep_their_texts(tmp_path):
    made = model(tmp_path)
    prompt = FIRST["llada", None]
    pair, question = ids.TextPair("p", " A B", "C", "D"), Question("q", "A B ", ("C", "D"), 1)
    assert ids.with_chat_template([pair], made) == [ids.TextPair("p", prompt, "C", "D")]
    assert ids.with_chat_template([question], made) == [Question("q", prompt, ("C", "D"), 1)]
    assert ids.with_chat_template([], made) == []


def test_a_bos_that_the_model_adds_is_removed_once(tmp_path):
    prompt = FIRST["llada", None].removeprefix("<|bos|>")
    made = model(tmp_path, before=(BOS,))
    (rendered, _) = ids.with_chat_template(RECORDS, made)
    assert rendered.prompt == prompt
    assert not made.encode(rendered.prompt).tolist().count(BOS)
    made.tokenizer.chat_template = "{{ bos_token }}" + TEMPLATES["llada"]  # as tokenizers with two BOS have it
    assert ids.with_chat_template(RECORDS, made)[0].prompt == "<|bos|>" + prompt
    # Control: a special token that the template does not begin with removes nothing.
    other = load_huggingface(tmp_path, before=(1,), trust_remote_code=True)
    assert ids.with_chat_template(RECORDS, other)[0].prompt == FIRST["llada", None]


def test_dream_has_a_bos_before_its_template_unless_loaded_without(tmp_path):
    made = model(tmp_path, "dream")
    assert made.before == (BOS,)
    assert ids.with_chat_template(RECORDS, made)[0].prompt == FIRST["dream", None]
    bare = load_huggingface(tmp_path, before=(), trust_remote_code=True)
    records = ids.with_chat_template(RECORDS, bare)
    results = [ids.estimate_texts(one, records, "exhaustive", passes=7, replicates=2)["nll"] for one in (made, bare)]
    assert (np.abs(results[0] - results[1]) > 1e-3).all()  # the choice of template matters


def test_accelerated_models_have_the_template_of_their_tokenizer(tmp_path):
    made = model(tmp_path, before=(BOS,))
    fast = ids.accelerated(made, autocast=torch.bfloat16)
    assert ids.with_chat_template(RECORDS, fast) == ids.with_chat_template(RECORDS, made)


def test_the_response_is_scored_after_the_header_of_the_assistant(tmp_path):
    made = model(tmp_path)
    (record, _) = ids.with_chat_template(RECORDS, made)
    found = ids.estimate_texts(made, [record], "exhaustive", passes=7, replicates=2)["nll"].item()
    bare = [ids.Record("first", "A B ", "C D E")]
    plain = ids.estimate_texts(made, bare, "exhaustive", passes=7, replicates=2)["nll"].item()
    header = made.tokenizer.apply_chat_template([{"role": "user", "content": "A B"}], tokenize=True, return_dict=False)
    response = made.tokenizer.convert_tokens_to_ids(["C", "D", "E"])

    def total(masked):
        row = torch.tensor(
            [[*header, *(MASK if hide else token for hide, token in zip(masked, response, strict=True))]]
        )
        with torch.no_grad():
            logs = made.network(row).logits[0, len(header) :].log_softmax(-1)
        return -sum(float(logs[place, response[place]]) for place in range(3) if masked[place])

    assert found == pytest.approx(mean_over_masks({mask: total(mask) for mask in product((0, 1), repeat=3)}), abs=1e-4)
    assert abs(found - plain) > 0.1  # control: without the template the number differs


def test_models_without_tokenizer_or_template_are_refused(tmp_path):
    for bare in (ids.load_model("austen"), ids.MarkovChain.random(order=1, alphabet="AB", seed=0)):
        with pytest.raises(InputError, match="needs a model with a tokenizer of transformers, and this one has none"):
            ids.with_chat_template(RECORDS, bare)
    write_chat_checkpoint(tmp_path)
    plain = load_huggingface(tmp_path, trust_remote_code=True)
    with pytest.raises(InputError, match="the tokenizer of the model has no chat template"):
        ids.with_chat_template(RECORDS, plain)


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        (
            "refuses a system prompt",
            r"refuses a system prompt \(System role not supported\): leave out system_prompt=, or put it into the",
        ),
        ("ignores a system prompt", "ignores the system prompt: leave out system_prompt=, or put it into the prompts$"),
        ("refuses everything", "^'first': the chat template .* cannot render the prompt: Conversation roles must"),
    ],
)
def test_templates_that_do_not_take_a_system_prompt_are_refused(template, sentence, tmp_path):
    made = model(tmp_path, template=template)
    with pytest.raises(InputError, match=sentence) as caught:
        ids.with_chat_template(RECORDS, made, system_prompt="be kind")
    assert "\n" not in str(caught.value)
    if template != "refuses everything":  # control: without a system prompt it renders
        made.tokenizer.chat_template = TEMPLATES[template] + HEADER
        assert ids.with_chat_template(RECORDS, made)[0].prompt == " A B<|eot|><|header|>assistant<|/header|>"


HEADER = "{% if add_generation_prompt %}<|header|>assistant<|/header|>{% endif %}"
CONTENTS = "{% for message in messages %}{{ message['content'] }}<|eot|>{% endfor %}"
ROLES = "{% for message in messages %}<|header|>{{ message['role'] }}<|/header|>{{ message['content'] }}{% endfor %}"
CHANGES, NO_ANSWER, DATE = "changes the prompt", "does not open the answer of the assistant", "depends on the date"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("one two" + HEADER, CHANGES),
        ("{{ messages[-1].content[:3] }}" + HEADER, CHANGES),
        ("{{ messages[-1].content | upper }}" + HEADER, CHANGES),
        (ROLES, NO_ANSWER),
        ("{{ messages[-1].content }}<|eot|>", NO_ANSWER),
        ("{{ strftime_now('%H:%M:%S.%f') }}" + CONTENTS + HEADER, DATE),
        ("{{ strftime_now('%d %b %Y') }}" + CONTENTS + HEADER, DATE),
        ("{{ messages[-1].content | replace('B', 'C') }}" + HEADER, "'first': the chat template .* changes the prompt"),
    ],
)
def test_templates_by_which_prompts_are_not_what_the_model_answers_are_refused(template, sentence, tmp_path):
    made = model(tmp_path)
    made.tokenizer.chat_template = template
    with pytest.raises(InputError, match=sentence) as caught:
        ids.with_chat_template(RECORDS, made)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        (CONTENTS + HEADER, " A B<|eot|><|header|>assistant<|/header|>"),
        # Without headers an answer follows immediately, whether it is asked for or not.
        (CONTENTS, " A B<|eot|>"),
        (
            ROLES + "{{ '<|header|>assistant<|/header|>' }}",
            "<|header|>user<|/header|> A B<|header|>assistant<|/header|>",
        ),
        ("{{ date | default('one') }}" + CONTENTS + HEADER, "one A B<|eot|><|header|>assistant<|/header|>"),
        ("{% if strftime_now is defined %}{% endif %}" + CONTENTS, " A B<|eot|>"),
    ],
)
def test_other_templates_are_taken(template, rendered, tmp_path):
    made = model(tmp_path)
    made.tokenizer.chat_template = template
    assert ids.with_chat_template(RECORDS, made)[0].prompt == rendered


def test_a_system_prompt_that_the_prompt_contains_is_ignored_all_the_same(tmp_path):
    made = model(tmp_path, template="ignores a system prompt")
    made.tokenizer.chat_template += HEADER
    for system in ("A", "assistant"):
        with pytest.raises(InputError, match="ignores the system prompt"):
            ids.with_chat_template(RECORDS, made, system_prompt=system)
    made.tokenizer.chat_template = TEMPLATES["dream"]  # control: its own system prompt is taken
    rendered = ids.with_chat_template(RECORDS, made, system_prompt="be kind")
    assert rendered == ids.with_chat_template(RECORDS, made)


def test_the_digest_of_a_template_changes_with_it(tmp_path):
    made = model(tmp_path)
    first = chat_template_digest(made)
    assert first == hashlib.sha256(TEMPLATES["llada"].encode()).hexdigest()
    made.tokenizer.chat_template += " "
    assert chat_template_digest(made) != first
    options = SimpleNamespace(chat_template=True, system_prompt=None)
    assert chat_attributes(options, made)["chat_template_sha256"] == chat_template_digest(made)
    assert chat_attributes(SimpleNamespace(chat_template=False, system_prompt=None), made) == {}
