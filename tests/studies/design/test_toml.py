"""Errors in study files: all in one message, each with the line of its key and in the words of TOML."""

import tomllib
from pathlib import Path

import pytest

import infodis_stats as ids
from infodis_stats.studies.design.toml_lines import key_lines
from infodis_stats.studies.study_file import read_study
from tests.support.small_studies import SMALL_FRONTIER, SMALL_STUDY

REPORTS = sorted((Path(__file__).parents[3] / "reports").glob("*.toml"))

TANGLED = r'''"a b"."c\"d" = """x
= [ # "
""" # c
'q' = [[1, 2.5], # c ]
 {x = "}", y.z = [1,
2]}, 2020-01-01 10:00:00]
e = []
[t."u v".w]
k = true
[[s.t]]
k=1
[[s.t.u]]
k=1
[[s.t.u]]
k=2
[s.t.v]
z=1
[[s.t]]
k=2
[[s.t.u]]
f = -inf
'''


def complaint(tmp_path, text):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ids.InputError) as caught:
        read_study(path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(path))


def paths(data, path=()):
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from paths(value, (*path, key))


@pytest.mark.parametrize("text", [TANGLED, *(path.read_text() for path in REPORTS)])
def test_every_key_of_a_text_has_its_line(text):
    assert set(key_lines(text)) == set(paths(tomllib.loads(text)))


def test_lines_are_those_of_the_keys():
    lines = key_lines(TANGLED)
    assert lines["a b", 'c"d'] == 1
    assert lines["q", 1, "y", "z", 1] == 6
    assert lines["t", "u v", "w", "k"] == 9
    assert [lines["s", "t", 0, "u", index, "k"] for index in (0, 1)] == [13, 15]
    assert lines["s", "t", 0, "v", "z"] == 17
    assert lines["s", "t", 1, "u", 0, "f"] == 21


def test_all_problems_are_in_one_message(tmp_path):
    text = SMALL_STUDY.replace("seed = 3\n", "", 1).replace("passes", "pases", 1).replace("order = 1", "ordr = 1")
    text = text.replace("count = 3", "cuont = 3").replace('"time-free", ', '"time-fre", ', 1)
    assert complaint(tmp_path, text) == (
        " has 5 problems: (1) key 'seed' is missing, (2) line 2: unknown key 'pases'; did you mean 'passes'?, "
        "(3) line 5: there is no estimator 'time-fre'; did you mean time-free or time-free+sobol or time-integral?, "
        "(4) line 9: unknown key 'law.ordr'; did you mean 'order'?, "
        "(5) line 22: unknown key 'targets.1.cuont'; did you mean 'count'?"
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("model = 'austen'", ", line 1: model must be a table such as { name = \"austen\" }, got 'austen'"),
        (
            "law = 5",
            ', line 1: law must be a table such as { kind = "markov-chain", order = 1, alphabet = "ACGT" }, got 5',
        ),
        ("targets = 'a'", ", line 1: targets must be a list, got 'a'"),
        (
            "targets = ['a']",
            ", line 1: targets.0 must be a table such as { name = \"short\", count = 4, length = 8 }, got 'a'",
        ),
        (
            "targets = [{ name = 'a', sequences = 'suport' }]",
            ", line 1: targets.0.sequences must be a list or 'support', got 'suport'; did you mean 'support'?",
        ),
        ("targets = [{ name = 'a', sequences = [1] }]", ", line 1: targets.0.sequences.0 must be a string, got 1"),
        ("targets = [{ name = 'a', records = 1 }]", ", line 1: targets.0.records must be a file name, got 1"),
        ("law.kind = 'markov'", None),
        (
            "contrasts = ['couple']",
            ", line 1: contrasts.0 must be 'coupled' or 'decoupled', got 'couple'; did you mean",
        ),
        ("model = { name = 'austin' }", ", line 1: there is no model 'austin'; did you mean 'austen'?"),
        ("order = 3", ", line 1: unknown key 'order'; 'order' is a key of law"),
        (
            "law = { kind = 'table', level = 0.9 }",
            "'level' is a key of the study itself: write it above the first table",
        ),
        ("'le vel' = 0.9", ", line 1: unknown key 'le vel'; did you mean 'level'?"),
    ],
)
def test_a_problem_is_in_the_words_of_toml(tmp_path, line, sentence):
    kept = {
        "passes": "[4]",
        "replicates": "8",
        "estimators": '["time-free"]',
        "reference": '"time-free"',
        "title": '"a"',
        "seed": "0",
        "law": '{ kind = "table" }',
        "targets": '[{ name = "a", count = 1, length = 8 }]',
    }
    key = line.split(" ")[0].split(".")[0]
    rest = "".join(f"{name} = {value}\n" for name, value in kept.items() if name != key)
    said = complaint(tmp_path, f"{line}\n{rest}")
    if sentence is None:
        kinds = "'table', 'markov-chain', 'hidden-markov', 'code' or 'independent'"
        sentence = f", line 1: law.kind must be {kinds}, got 'markov'; did you mean 'markov-chain'?"
    assert sentence in said


def test_the_same_typo_in_two_tables_has_two_lines(tmp_path):
    text = SMALL_FRONTIER.replace("count = ", "cnt = ")
    said = complaint(tmp_path, text)
    assert "line 13: unknown key 'subjects.0.targets.0.cnt'" in said
    assert "line 14: unknown key 'subjects.0.targets.1.cnt'" in said


def test_a_problem_between_keys_has_the_line_of_the_wrong_one(tmp_path):
    wrong = {
        "context = 2": ("context = 7", "line 18: context must be less than length, 7, or nothing is scored, got 7"),
        'alphabet = "ACGT"': ('alphabet = "AACG"', "line 8: alphabet must have distinct symbols, but 'AACG' repeats"),
        "seed = 5": ("initial = [0.5, 0.6]\ntransition = [[1, 0], [0, 1]]", "line 8: transition must have one axis"),
        "[[targets]]\n": (
            "[targets]\n",
            "line 14: targets must be a list of tables, [[targets]] in TOML, got one table",
        ),
    }
    for old, (new, sentence) in wrong.items():
        text = SMALL_STUDY.split('\n[[targets]]\nname = "shorter"')[0]
        assert old in text
        assert complaint(tmp_path, text.replace(old, new, 1)).startswith(f", {sentence}"), new


def test_a_key_that_is_there_is_not_suggested_unless_it_is_a_near_copy(tmp_path):
    assert complaint(tmp_path, SMALL_FRONTIER.replace("seed = 3", "seed = 3\ntruth_passes = 16", 1)).endswith(
        ", line 4: unknown key 'truth_passes'"
    )
    assert complaint(tmp_path, SMALL_STUDY.replace("seed = 3", "seed = 3\nsede = 4", 1)).endswith(
        ", line 3: unknown key 'sede'"
    )
    assert complaint(tmp_path, SMALL_STUDY.replace("seed = 3", "seed = 3\nreplicats = 4", 1)).endswith(
        ", line 3: unknown key 'replicats'; did you mean 'replicates'?"
    )


def test_one_value_has_one_problem(tmp_path):
    text = SMALL_STUDY.replace("count = 4\nlength = 7\ncontext = 2", "sequences = []")
    assert complaint(tmp_path, text) == ", line 16: targets.0.sequences must have at least 1 value, got []"
