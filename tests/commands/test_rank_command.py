"""Multiple choice from the command line: a table, totals, and an answer key."""

import json

import pytest
import torch

from estimators import InputError
from infodis_stats.cli import main
from infodis_stats.commands import ranking
from infodis_stats.estimates.texts import rank_texts
from infodis_stats.io.records import Question, parse_questions
from infodis_stats.models import load_model

FILE = """
{"id": "opening", "prompt": "It is a truth ", "answers": ["zniverselly", "universally"], "correct": 1}
{"prompt": "She was ", "answers": ["hqppy", "happy", "hxppy"], "correct": 0}
{"prompt": "He ", "answers": ["said", "qqqq"]}
"""


@pytest.fixture
def questions(tmp_path):
    path = tmp_path / "questions.jsonl"
    path.write_text(FILE)
    return str(path)


def test_it_prints_answers_and_the_number_of_correct_ones(questions, capsys):
    assert main(["rank", "austen", questions, "--passes", "8", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["answer"] for row in found["rows"]] == ["universally", "happy", "said"]
    assert [row["right"] for row in found["rows"]] == [True, False, None]
    assert all(row["p value"] <= 0.05 for row in found["rows"])
    assert {key: found[key] for key in ("questions", "settled", "with a key", "right", "settled and right")} == {
        "questions": 3,
        "settled": 3,
        "with a key": 2,
        "right": 1,
        "settled and right": 1,
    }
    assert main(["rank", "austen", questions, "--passes", "8", "--per", "token"]) == 0
    printed = capsys.readouterr().out
    assert "correct: 1 of 2; among settled questions 1 of 2" in printed
    assert "universally" in printed


def test_ids_and_answers_that_look_like_numbers_are_printed_as_they_are(tmp_path, capsys):
    path = tmp_path / "questions.jsonl"
    path.write_text(
        '{"id": "007", "prompt": "It is ", "answers": ["1812.50", "zzzzzzzzzzzzzzzz"]}\n'
        '{"id": "1e3", "prompt": "It is ", "answers": ["31415", "zzzzzzzzzzzzzzzz"]}\n'
    )
    assert main(["rank", "austen", str(path), "--passes", "8"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:4]]
    assert [row[:2] for row in rows] == [["007", "1812.50"], ["1e3", "31415"]]


def test_bad_questions_are_left_out_and_named_and_the_others_are_kept(tmp_path, capsys):
    path = tmp_path / "some.jsonl"
    path.write_text(
        FILE
        + '{"id": "strange", "answers": ["\\u4e2d", "a"]}\n'
        + '{"id": "007", "prompt": "She was ", "answers": ["happy", "happy", "zzzzz"], "correct": 1}\n'
        + '{"id": "same", "answers": ["a", "a"]}\n'
    )
    assert main(["rank", "austen", str(path), "--passes", "8", "--json"]) == 2
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [row["question"] for row in found["rows"]] == ["opening", "line 3", "line 4", "007"]
    assert (found["rows"][-1]["answer"], found["rows"][-1]["right"]) == ("happy", True)
    assert list(found["failed"]) == ["strange", "same"]
    assert err.startswith("infodis-stats: 2 of 6 questions left out: ")
    assert "some.jsonl, line 5, 'strange': character" in err
    assert "'same': all answers are the same" in err
    assert main(["rank", "austen", str(path), "--passes", "8"]) == 2
    assert " 007 " in capsys.readouterr().out.replace("\n", " ")


def test_an_interrupted_ranking_shows_what_is_done(questions, capsys, monkeypatch):
    real = ranking.rank_each

    def interrupted(*arguments, **settings):
        yield next(real(*arguments, **settings))
        raise KeyboardInterrupt

    monkeypatch.setattr(ranking, "rank_each", interrupted)
    assert main(["rank", "austen", questions, "--passes", "8"]) == 130
    assert "1 of 1 questions settled" in capsys.readouterr().out


def test_a_question_on_which_the_model_fails_is_left_out_and_named(questions, capsys, monkeypatch):
    austen = load_model("austen")
    odd, own = int(austen.encode("q")[0]), type(austen).token_nll

    def token_nll(self, tokens, masked, *, lengths=None):
        losses = own(self, tokens, masked, lengths=lengths)
        return torch.where((tokens == odd).any(dim=1, keepdim=True), torch.nan, losses)

    monkeypatch.setattr(type(austen), "token_nll", token_nll)
    for estimator in ("auto", "regression"):
        assert main(["rank", "austen", questions, "--estimator", estimator, "--json"]) == 2
        out, err = capsys.readouterr()
        assert [row["question"] for row in json.loads(out)["rows"]] == ["opening"]
        assert list(json.loads(out)["failed"]) == ["line 3", "line 4"]
        assert "2 of 3 questions left out: candidate 0" in err


def test_questions_that_are_raced_together_have_the_numbers_of_each_alone(questions, capsys):
    assert main(["rank", "austen", questions, "--per", "byte", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    for row, question in zip(rows, parse_questions(FILE, "x"), strict=True):
        alone = rank_texts(load_model("austen"), question.prompt, question.answers, per="byte")
        assert row["answer"] == alone["leader"].item()
        assert row["p value"] == pytest.approx(alone["p_value"].item(), rel=1e-3)
        assert row["passes run"] == alone.attrs["forward_passes"]
        assert row["passes run"] < 128  # the first look of replicates, for one answer


@pytest.mark.parametrize("per", ["none", "token", "byte"])
def test_answers_are_compared_in_the_unit_asked_for(per, questions, capsys):
    assert main(["rank", "austen", questions, "--passes", "8", "--per", per, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["per"] == per


def test_questions_are_parsed():
    assert parse_questions(FILE, "x")[2] == Question("line 4", "He ", ("said", "qqqq"), None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "x contains nothing to score"),
        ("{", "x, line 1: not valid JSON"),
        ("[]", "x contains nothing to score"),
        ("[[1]]", 'x, element 1: needs a JSON object with "answers" .*, got a list'),
        ('{"answers": ["a"]}', 'x, line 1: "answers" must be a list of at least 2 strings'),
        ('{"answers": ["a", "b"], "correct": 2}', 'x, line 1: "correct" must be the index of an answer, 0 to 1, got 2'),
        (
            '{"answers": ["a", "b"], "correct": true}',
            'x, line 1: "correct" must be the index of an answer, 0 to 1, got True',
        ),
        ('{"answers": ["a", "b"], "prompt": 3}', 'x, line 1: "prompt" must be a string'),
    ],
)
def test_bad_questions_are_one_sentence(text, sentence):
    with pytest.raises(InputError, match=sentence):
        parse_questions(text, "x")


def test_laws_and_answers_with_unknown_symbols_are_rejected(questions, tmp_path, capsys):
    law = tmp_path / "law.toml"
    law.write_text('[law]\nkind = "markov-chain"\norder = 1\nalphabet = "ACGT"\nseed = 0\n')
    assert main(["rank", str(law), questions]) == 2
    assert "a law scores sequences of symbols only" in capsys.readouterr().err
    strange = tmp_path / "strange.jsonl"
    strange.write_text('{"answers": ["\\u1234", "a"], "id": "odd"}')
    assert main(["rank", "austen", str(strange)]) == 2
    assert "'odd'" in capsys.readouterr().err


def test_a_question_with_an_empty_answer_is_left_out_and_named(tmp_path, capsys):
    path = tmp_path / "questions.jsonl"
    path.write_text(
        '{"ctx": "It is a", "endings": ["trvth", "truth"], "label": "1"}\n'
        '{"id": "q", "ctx": "He", "endings": ["said", ""]}\n'
    )
    assert main(["rank", "austen", str(path), "--passes", "8", "--json"]) == 2
    printed = capsys.readouterr()
    assert [row["answer"] for row in json.loads(printed.out)["rows"]] == [" truth"]
    assert "questions.jsonl, line 2, 'q'" in printed.err
