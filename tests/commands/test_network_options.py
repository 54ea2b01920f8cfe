"""Options of networks on the command line: what they change and record, and that errors name them."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

import infodis_stats as ids
from infodis_stats import commands, models
from infodis_stats.commands.option_names import CALL, PHRASES
from infodis_stats.models.huggingface import load_huggingface
from tests.support.chat_checkpoints import BOS, MASK, TEMPLATES, write_chat_checkpoint
from tests.support.command_line import run

RECORDS = [{"id": "a", "prompt": "A B ", "response": "C D E"}, {"id": "b", "prompt": "one ", "response": "F G"}]
PAIRS = [{"id": "a", "prompt": "A B ", "first": "C D E", "second": "F G"}]
QUESTIONS = [{"id": "a", "prompt": "A B ", "answers": ["C D E", "F G H"], "correct": 0}]
FAST = ("--estimator", "exhaustive", "--passes", 7, "--replicates", 2, "--json")


@pytest.fixture
def folder(tmp_path):
    write_chat_checkpoint(tmp_path / "llada", "llada", TEMPLATES["llada"])
    write_chat_checkpoint(tmp_path / "dream", "dream", TEMPLATES["dream"])
    for name, entries in (("records", RECORDS), ("pairs", PAIRS), ("questions", QUESTIONS)):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, entries)))
    (tmp_path / "sequences.txt").write_text("A B C\n")
    return tmp_path


def attributes(capsys, folder, *options, model="llada"):
    status, out, err = run(
        capsys, "nll", f"hf:{folder / model}", folder / "records.jsonl", "--trust-remote-code", *FAST, *options
    )
    assert (status, err) == (0, "")
    return json.loads(out)


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ((), {}),
        (("--family", "a2d"), {"family": "a2d"}),
        (("--mask-id", "3"), {"mask_id": 3}),
        (("--before", "0,1"), {"before": [0, 1]}),
        (("--before", " 2 , 1 "), {"before": [2, 1]}),
        (("--before", ""), {}),
        (("--after", "1"), {"after": [1]}),
        (("--shifted",), {"shifted": True}),
        (("--no-shifted",), {}),
        (("--exclude-mask",), {"exclude_mask": True}),
        (("--no-exclude-mask",), {}),
        (("--guidance", "1.5"), {"guidance": 1.5}),
        (("--dtype", "bfloat16"), {"dtype": "bfloat16"}),
        (("--autocast", "bfloat16"), {"autocast": "bfloat16"}),
    ],
    ids=" ".join,
)
def test_options_are_the_conventions_of_the_result(capsys, folder, options, changed):
    usual = load_huggingface(folder / "llada", trust_remote_code=True).conventions()
    found = attributes(capsys, folder, *options)
    assert found["attributes"]["model_conventions"] == usual | changed
    plain = [row["nll"] for row in attributes(capsys, folder)["sequences"]]
    same = [row["nll"] for row in found["sequences"]] == plain
    assert same == (not changed or options[0] == "--family")  # a2d has the conventions of llada


def test_switches_undo_the_defaults_of_a_family(capsys, folder):
    found = attributes(capsys, folder, "--no-shifted", "--before", "", model="dream")["attributes"]["model_conventions"]
    assert (found["family"], found["shifted"], found["before"]) == ("dream", False, [])
    usual = attributes(capsys, folder, model="dream")["attributes"]["model_conventions"]
    assert (usual["shifted"], usual["before"]) == (True, [BOS])


def test_token_ids_are_checked_while_arguments_are_parsed(capsys, folder):
    for ids_text in ("1;2", "a", "1,,2", "-1", "1.5"):
        with pytest.raises(SystemExit) as caught:
            run(capsys, "nll", f"hf:{folder / 'llada'}", folder / "records.jsonl", f"--before={ids_text}")
        assert caught.value.code == 2
        assert "argument --before: must be token ids separated by commas, such as 1,2" in capsys.readouterr().err


def test_guidance_runs_two_passes_per_row(capsys, folder):
    guided, plain = attributes(capsys, folder, "--guidance", "1"), attributes(capsys, folder)
    assert guided["attributes"]["forward_passes"] == 2 * plain["attributes"]["forward_passes"]
    model = load_huggingface(folder / "llada", guidance=1, trust_remote_code=True)
    records = ids.read_records(folder / "records.jsonl")
    expected = ids.estimate_texts(model, records, "exhaustive", passes=7, replicates=2)["nll"].values
    np.testing.assert_allclose([row["nll"] for row in guided["sequences"]], expected, rtol=1e-6)


def test_records_pairs_and_questions_get_the_chat_template(capsys, folder):
    model = load_huggingface(folder / "llada", trust_remote_code=True)
    how = {"passes": 7, "replicates": 2}
    options = ("--trust-remote-code", "--chat-template", "--system-prompt", "be kind")

    def asked(command, *arguments):
        status, out, err = run(capsys, command, f"hf:{folder / 'llada'}", *arguments, *options)
        assert (status, err) == (0, "")
        return json.loads(out)

    def templated(records):
        return ids.with_chat_template(records, model, system_prompt="be kind")

    texts = asked("nll", folder / "records.jsonl", *FAST)
    expected = ids.estimate_texts(model, templated(ids.read_records(folder / "records.jsonl")), "exhaustive", **how)
    np.testing.assert_allclose([row["nll"] for row in texts["sequences"]], expected["nll"], rtol=1e-6)
    assert (texts["attributes"]["chat_template"], texts["attributes"]["system_prompt"]) == (
        "that of the tokenizer",
        "be kind",
    )
    bare = ids.estimate_texts(model, ids.read_records(folder / "records.jsonl"), "exhaustive", **how)
    assert (np.abs(bare["nll"] - expected["nll"]) > 0.01).all()  # control

    pairs = asked("ratio", folder / "pairs.jsonl", *FAST)
    expected = ids.estimate_text_ratios(model, templated(ids.read_pairs(folder / "pairs.jsonl")), "exhaustive", **how)
    assert pairs["pairs"][0]["log_ratio"] == pytest.approx(expected["log_ratio"].item(), rel=1e-6)

    ranked = asked("rank", folder / "questions.jsonl", *FAST)
    prompt = templated([ids.Record("a", "A B", "C D E")])[0].prompt
    expected = ids.rank_texts(model, prompt, ["C D E", "F G H"], "exhaustive", **how)
    assert ranked["rows"][0]["answer"] == expected["leader"].item()
    assert ranked["attributes"]["model_conventions"]["mask_id"] == MASK
    assert ranked["attributes"]["system_prompt"] == "be kind"

    orders = asked("consistency", folder / "records.jsonl", "--orders", 3, "--json")
    assert orders["attributes"]["chat_template"] == "that of the tokenizer"
    (first, _) = templated(ids.read_records(folder / "records.jsonl"))
    tokens = np.concatenate([model.encode(first.prompt), model.encode(first.response)])
    gap = ids.order_gap(model, [tokens], orders=3, context=len(tokens) - 3, names=["a"])
    assert orders["sequences"][0]["gap"] == pytest.approx(gap["order_gap"].item(), abs=1e-4)


def test_a_template_is_used_only_on_request(capsys, folder):
    assert "chat_template" not in attributes(capsys, folder)["attributes"]


def argument_names(sentence):
    """Return the names of Python arguments in a sentence; advice to write Python does not count."""
    outside = "".join(CALL.split(sentence)[::2])
    options = r"mask_id|exclude_mask|device_map|trust_remote_code|allow_import|batch_size|most_passes|system_prompt"
    return re.findall(rf"\b\w+=|(?<![\w-])(?:{options})\b", outside)


def test_control_names_of_arguments_are_found():
    assert argument_names("pass mask_id=3 or exclude_mask") == ["mask_id=", "exclude_mask"]
    assert not argument_names("write model(mask_id=3) or pass --mask-id 3")


UNKNOWN = {"model_type": "what", "architectures": []}
CODED = "--trust-remote-code"  # what the command has in addition, unless a case says otherwise
ERRORS = [  # changes of the checkpoint, options, and a part of the sentence
    ({"coded": ""}, "", "is run only with --trust-remote-code"),
    ({"mask_token_id": None}, "", "it is not guessed; specify it with --mask-id"),
    ({}, "--tokenizer {folder}/bert", "specify the right one with --mask-id"),
    (UNKNOWN, "", "belongs to no known family: specify one with --family (llada"),
    (
        UNKNOWN | {"model_type": "a2d-qwen3"},
        "",
        "specify --family a2d if it was trained without blocks, or --family a2d-bd3lm and its --block-size",
    ),
    ({}, "--family lada", "--family must be one of llada"),
    (
        {},
        "--family dplm",
        "one with --tokenizer, or the special tokens before and after a sequence with --before and --after",
    ),
    ({}, "--family radd --mask-id 23 --no-exclude-mask", "--no-exclude-mask is impossible for family 'radd'"),
    ({}, "--mask-id 99", "--mask-id must be a token that the network takes, got 99"),
    ({}, "--mask-id 24", "--mask-id must be a token that the network takes, got 24"),
    ({}, "--before 99", "--before must be tokens of the network, 0 to 23, but it contains 99"),
    ({}, "--guidance=-1", "--guidance must be a finite number of at least 0"),
    ({}, "--dtype int8", "--dtype must be one of float64, float32, bfloat16 and float16, got 'int8'"),
    ({}, "--device-map auto", "--device-map auto needs the package accelerate"),
    ({"file": "sequences.txt"}, "--shifted", "without a BOS token before it (--before)"),
    ({}, "--batch-size 0", "--batch-size must be a positive integer, got 0"),
    ({}, "--passes 0", "--passes must be a positive integer, got 0"),
    ({}, "--most-passes 1 --precision 5%", "--most-passes must cover the first round"),
    ({}, "--revision main", "--revision is an option of hub models, but "),
    ({}, "--device-map []", "--device-map must be a device, such as 0 or 'cuda:1'"),
    ({}, "--system-prompt kind", "--system-prompt is part of a chat template: it needs --chat-template"),
    ({"template": "ignores a system prompt"}, "--chat-template --system-prompt kind", "leave out --system-prompt"),
    ({"template": None}, "--chat-template", "specify a tokenizer that has one with --tokenizer"),
    ({"tokenizer": False}, "", "this model has no tokenizer: specify one with --tokenizer"),
    ({"scale": 1e30}, "--dtype float16", "has values that are not finite in float16; use --dtype float32"),
    ({"scale": 3e4}, "--dtype float16", "the network overflowed in float16; use --dtype float32"),
    ({"scale": 1e30}, "--autocast float16", "use --autocast bfloat16, or no --autocast"),
    ({}, "--compile", "has no list of blocks (torch.nn.ModuleList)"),
]


@pytest.mark.parametrize("case", ERRORS, ids=lambda case: case[2])
def test_errors_name_options(capsys, monkeypatch, folder, case):
    monkeypatch.setitem(sys.modules, "accelerate", None)
    changes, options, sentence = case
    changed = {"template": "llada", "coded": CODED, "tokenizer": True, "file": "records.jsonl"} | changes
    template, coded, tokenizer, file = (changed.pop(name) for name in ("template", "coded", "tokenizer", "file"))
    write_chat_checkpoint(folder / "llada", template=TEMPLATES.get(template), **changed)
    write_chat_checkpoint(folder / "bert", mask_word="B")
    if not tokenizer:
        for path in (folder / "llada").glob("tokenizer*"):
            path.unlink()
    given = f"{coded} {options}".format(folder=folder).split()
    status, out, err = run(capsys, "nll", f"hf:{folder / 'llada'}", folder / file, *given)
    assert (status, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert argument_names(err) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["austen", "--mask-id", "0"],
            "--mask-id is an option of Hugging Face models (hf:FOLDER_OR_ID), but the model is",
        ),
        (["austen", "--no-shifted"], "--shifted is an option of Hugging Face models"),
        (["austen", "--chat-template"], "a chat template needs a model with a tokenizer of transformers"),
        (["{law}", "--before", ""], "--before is an option of networks, but {law} is an exact law"),
        (["{law}", "--autocast", "bfloat16"], "--autocast is an option of networks"),
        (["{law}", "--chat-template"], "--chat-template is an option of networks"),
        (["own_model:model"], "'own_model:model' is a module of your own, which is imported only with --allow-import"),
        (
            ["own_model:coin", "--allow-import"],
            "'own_model:coin' has no longest, encode, decode, describe, fingerprint",
        ),
        (["own_model:absent", "--allow-import"], "the module own_model has no object absent"),
        (["own_model:model", "--allow-import", "--revision", "main"], "--revision is an option of Hugging Face models"),
        (["own_model:wrapped", "--allow-import", "--compile"], "autocast and compile are for a Denoiser or a"),
    ],
)
def test_options_that_do_not_apply_are_refused(capsys, own_model, study_file, arguments, sentence):
    (own_model / "texts.txt").write_text("It is\n")
    model, *options = (one.format(law=study_file) for one in arguments)
    status, out, err = run(capsys, "nll", model, own_model / "texts.txt", *options)
    assert (status, out) == (2, "")
    assert sentence.format(law=study_file) in err
    assert argument_names(err) == []
    assert err.count("\n") == 1


OWN = """
import torch
import infodis_stats as ids

model = ids.load_model("austen")

class Coin:
    def token_nll(self, tokens, masked):
        return masked * torch.log(torch.tensor(2.0))

class Wrapped(Coin):
    longest = 100
    def encode(self, text):
        return model.encode(text)
    def decode(self, tokens):
        return model.decode(tokens)
    def describe(self):
        return "mine"
    def fingerprint(self):
        return "0"

coin, wrapped = Coin(), Wrapped()
"""


@pytest.fixture
def own_model(tmp_path, monkeypatch):
    """Change to a folder with a module of models, which is not on the search path."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "own_model.py").write_text(OWN)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(folder))])
    yield folder
    sys.modules.pop("own_model", None)


def test_a_model_of_the_current_folder_is_scored(capsys, own_model):
    (own_model / "texts.txt").write_text("It is\n")
    how = ("nll", "own_model:wrapped", "texts.txt", "--allow-import", "--json")
    status, out, err = run(capsys, *how)
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["sequences"][0]["nll"] == pytest.approx(5 * np.log(2), rel=1e-6)
    assert found["attributes"]["model"] == "mine 0"
    assert found["attributes"]["model_conventions"] == {}
    assert sys.path[0] == str(own_model)
    run(capsys, *how)
    assert sys.path.count(str(own_model)) == 1


def test_control_the_current_folder_is_not_searched_without_permission(capsys, own_model):
    assert run(capsys, "nll", "own_model:wrapped", "texts.txt")[0] == 2
    assert "own_model" not in sys.modules
    assert str(own_model) not in sys.path


@pytest.mark.parametrize("phrase", PHRASES)
def test_phrases_of_errors_are_replaced(capsys, monkeypatch, phrase):
    sources = " ".join(path.read_text() for path in Path(models.__file__).parent.rglob("*.py"))
    assert phrase in re.sub(r'"\s*f?"', "", sources)

    def refuse(options):
        raise ids.InputError(f"it failed: {phrase}")

    monkeypatch.setattr(commands, "nll", refuse)
    status, _, err = run(capsys, "nll", "austen", "texts.txt")
    assert status == 2
    assert argument_names(err) == []
    assert phrase not in err
