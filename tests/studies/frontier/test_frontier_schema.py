"""Frontier study files: invalid ones are rejected in one sentence that names the line."""

import pytest

import infodis_stats as ids
from infodis_stats.studies.frontier.schema import FrontierSpec
from infodis_stats.studies.study_file import read_study
from tests.support.small_studies import SMALL_FRONTIER

PAIRS = """
pairs = [{ name = "a", count = 2, length = 5, context = 1, edit = "unrelated", second_length = 8 }]
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("rivals =", "rival =", 7, "unknown key 'rival'; did you mean 'rivals'?"),
        ('rivals = ["time-free"', 'rivals = ["chain+antithetic"', 7, "rival 'chain+antithetic' is none of time-free"),
        ('rivals = ["time-free", ', 'rivals = ["time-free", "time-free", ', 7, "rivals must differ"),
        ("most_passes = 4", "most_passes = 3", 19, "subject 'Two letters' cannot run: most_passes must be at least"),
        ("passes = [4, 8]", "passes = [4, 4]", 4, "passes must differ"),
        ("replicates = 8", "replicates = 5", 5, "must be at least 6, got 5"),
        ('"chain", ', '"chian", ', 6, "there is no estimator 'chian'; did you mean chain"),
        ('name = "Two letters"', 'name = "A <b>chain</b>"', 18, "the names of subjects must differ"),
        ('{ name = "short",', '{ name = "long",', 14, "the names of targets must differ"),
        (
            "most_passes = 4",
            "most_passes = 0",
            19,
            "most_passes must be at least 1",
        ),
        ("most_passes = 4", "most_pases = 4", 19, "unknown key 'subjects.1.most_pases'; did you mean 'most_passes'?"),
        ("order = 1, ", "ordr = 1, ", 11, "unknown key 'subjects.0.law.ordr'; did you mean 'order'?"),
        ("count = 3, length = 16", "cuont = 3, length = 16", 14, "unknown key 'subjects.0.targets.1.cuont'"),
        ("replicates = 8", 'replicates = 8\ncontrasts = ["coupled"]', 6, "contrasts = "),
        ("seed = 3\n", "seed = 3\nreference = 'chain'\n", 4, "unknown key 'reference'"),
    ],
)
def test_errors_name_the_line(tmp_path, old, new, line, words):
    assert old in SMALL_FRONTIER
    path = tmp_path / "bad.toml"
    path.write_text(SMALL_FRONTIER.replace(old, new, 1))
    with pytest.raises(ids.InputError) as caught:
        read_study(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert words in sentence
    assert sentence.startswith(f"{path}, line {line}: " if line else f"{path}: ")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"unrelated"', '"substitution"', 'second_length requires edit = "unrelated"'),
        ("second_length = 8", "second_length = 1", "second_length must be greater than context"),
        ("second_length = 8", "second_length = 100_000_000", "count x length must be at most"),
    ],
)
def test_only_unrelated_pairs_have_a_second_length(tmp_path, old, new, words):
    head, subject = SMALL_FRONTIER.split("targets = [", maxsplit=1)[0], PAIRS.replace(old, new)
    path = tmp_path / "pairs.toml"
    path.write_text(head.replace("replicates = 8", 'replicates = 8\ncontrasts = ["coupled"]') + subject)
    with pytest.raises(ids.InputError, match=words):
        read_study(path)


def test_the_small_study_is_valid(tmp_path):
    path = tmp_path / "good.toml"
    path.write_text(SMALL_FRONTIER)
    spec, text = read_study(path)
    assert isinstance(spec, FrontierSpec)
    assert text == SMALL_FRONTIER
    assert [subject.name for subject in spec.subjects] == ["A <b>chain</b>", "Two letters"]
