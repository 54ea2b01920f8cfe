"""Comparison study files: invalid ones are rejected in one sentence that names the line."""

from typing import get_args

import pytest

import infodis_stats as ids
from infodis_stats.studies.design.laws import LawSpec, read_law
from infodis_stats.studies.study_file import read_study
from tests.support.small_studies import SMALL_RATIO, SMALL_STUDY


def complaint(tmp_path, text):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ids.InputError) as caught:
        read_study(path)[0].law.build()
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.startswith(str(path))
    return sentence.removeprefix(str(path))


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("passes =", "pases =", 3, "unknown key 'pases'; did you mean 'passes'?"),
        ("seed = 3\n", "", 0, "key 'seed' is missing"),
        ("passes = [4, 8, 31]", 'passes = [4, "8"]', 3, "passes.1 must be an integer, got '8'"),
        ("passes = [4, 8, 31]", "passes = [4, 0]", 3, "must be at least 1, got 0"),
        ("passes = [4, 8, 31]", "passes = [4, 4]", 3, "passes must differ from one another, but 4 occurs twice"),
        ("replicates = 32", "replicates = 1", 4, "must be at least 2, got 1"),
        ("replicates = 32", "replicates = 32.5", 4, "must be an integer, got 32.5"),
        ("replicates = 32", "replicates = 4", 4, "at least interval_replicates, 8"),
        ('"time-free", ', '"time-fre", ', 6, "there is no estimator 'time-fre'; did you mean time-free"),
        ("eps=0.2", "eps=1.0", 6, "eps in [0, 1), got 1.0"),
        ('reference = "time-free"', 'reference = "uniform-count"', 5, "reference 'uniform-count' is none of"),
        ('"markov-chain"', '"markov"', 8, "law.kind must be 'table', 'markov-chain', 'hidden-markov', 'code' or "),
        ('kind = "markov-chain"\n', "", 8, "key 'law.kind' is missing: it must be 'table'"),
        ("order = 1", "ordr = 1", 10, "unknown key 'law.ordr'; did you mean 'order'?"),
        ("order = 1", "order = -1", 10, "law.order must be at least 0, got -1"),
        ("order = 1", "initial = [0.5, 0.5]", 8, "initial and transition go together"),
        ("count = 3\n", "count = 300000000\n", 21, "count x length must be at most"),
        ("count = 3\n", "cuont = 3\n", 23, "unknown key 'targets.1.cuont'"),
        ("length = 3\n", "", 21, "count requires length"),
        ("count = 3\n", 'sequences = ["ACG"]\ncount = 3\n', 21, "either count and length, or sequences, or records"),
        (
            'name = "shorter"',
            'name = "short"',
            22,
            "the names of targets must differ from one another, but 'short' occurs twice",
        ),
        ("title =", "contrasts = ['coupled']\ntitle =", 1, "go together"),
        ("[law]", "[law", None, "is not valid TOML"),
        ("[law]", "level = 95.0\n[law]", 8, "level must be less than 1, got 95.0"),
    ],
)
def test_errors_name_the_line(tmp_path, old, new, line, words):
    assert old in SMALL_STUDY
    sentence = complaint(tmp_path, SMALL_STUDY.replace(old, new, 1))
    assert words in sentence
    if line is not None:
        assert sentence.startswith(f", line {line}: " if line else ": ")


def test_invalid_laws_are_rejected(tmp_path):
    head, tail = SMALL_STUDY.split("[law]")[0], "[[targets]]" + SMALL_STUDY.split("[[targets]]")[1]
    law = '[law]\nkind = "table"\nsequences = ["AC", "CA"]\nprobabilities = [0.5, 0.4]\n'
    path = tmp_path / "bad.toml"
    path.write_text(head + law + tail)
    with pytest.raises(ids.InputError, match=r"the sum of probabilities is 0\.9, not 1"):
        ids.run_study(path)
    path.write_text(head + '[law]\nkind = "table"\nalphabet = "AC"\nsequences = ["AX"]\nprobabilities = [1.0]\n' + tail)
    with pytest.raises(ids.InputError, match="symbol 'X' is outside the alphabet AC"):
        ids.run_study(path)


def test_pairs_need_contrasts_and_room_for_their_substitutions(tmp_path):
    assert "go together" in complaint(tmp_path, SMALL_RATIO.replace('contrasts = ["coupled", "decoupled"]\n', ""))
    path = tmp_path / "bad.toml"
    path.write_text(SMALL_RATIO.replace('edit = "substitution"', 'edit = "substitution"\nsubstitutions = 5'))
    with pytest.raises(ids.InputError, match="5 substitutions in 4 scored symbols"):
        ids.run_study(path)
    path.write_text(SMALL_STUDY.replace("count = 3\nlength = 3", 'sequences = "support"'))
    with pytest.raises(ids.InputError, match='"support" needs a table law'):
        ids.run_study(path)


def test_unreadable_files_are_rejected(tmp_path):
    with pytest.raises(ids.InputError, match="cannot be read: No such file"):
        read_study(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ids.InputError, match="not UTF-8"):
        read_study(tmp_path / "binary.toml")


def test_a_law_can_be_read_from_any_study_file(study_file):
    assert read_law(study_file) == ids.MarkovChain.random(order=1, alphabet="ACGT", seed=5)
    explicit = study_file.parent / "law.toml"
    explicit.write_text(
        '[law]\nkind = "markov-chain"\nalphabet = "AB"\ninitial = [0.5, 0.5]\ntransition = [[0.9, 0.1], [0.2, 0.8]]\n'
    )
    assert read_law(explicit) == ids.MarkovChain([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], "AB")


def test_a_hidden_markov_law_is_drawn_or_given(tmp_path):
    path = tmp_path / "law.toml"
    head = '[law]\nkind = "hidden-markov"\nalphabet = "ABC"\n'
    path.write_text(head + "states = 2\nseed = 5\nconcentration = 0.5\nstay = 0.8\n")
    assert read_law(path) == ids.HiddenMarkov.random(2, "ABC", seed=5, concentration=0.5, stay=0.8)
    path.write_text(head)
    assert read_law(path) == ids.HiddenMarkov.random(alphabet="ABC")
    chain = "initial = [0.5, 0.5]\ntransition = [[0.9, 0.1], [0.2, 0.8]]\n"
    path.write_text(head + chain + "emission = [[0.2, 0.3, 0.5], [1, 0, 0]]\n")
    arrays = [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], [[0.2, 0.3, 0.5], [1, 0, 0]]
    assert read_law(path) == ids.HiddenMarkov(*arrays, "ABC")
    path.write_text(head + chain)
    with pytest.raises(ids.InputError, match=r"law\.toml, line 1: initial, transition and emission go together$"):
        read_law(path)
    path.write_text(head + "stay = 1.0\n")
    with pytest.raises(ids.InputError, match=r"line 4: law\.stay must be less than 1, got 1\.0$"):
        read_law(path)


def test_codes_are_given_by_their_rule(tmp_path):
    path = tmp_path / "law.toml"
    head = '[law]\nkind = "code"\n'
    path.write_text(head + 'length = 12\ngroup = 4\nrule = "copies"\nalphabet = "ACGT"\n')
    assert read_law(path) == ids.CodeLaw(12, 4, "copies", "ACGT")
    path.write_text(head + "length = 12\ngroup = 4\n")
    assert read_law(path) == ids.CodeLaw(12, 4) != ids.CodeLaw(12, 4, "copies")
    path.write_text(head + "length = 12\ngroup = 5\n")
    with pytest.raises(ids.InputError, match="length must be a multiple of group, got length 12 and group 5"):
        read_law(path)
    path.write_text(head + 'length = 12\ngroup = 4\nrule = "parity"\n')
    with pytest.raises(ids.InputError, match=r"line 5: law\.rule must be 'checksum' or 'copies', got 'parity'"):
        read_law(path)
    path.write_text(head + "length = 12\n")
    with pytest.raises(ids.InputError, match=r"key 'law\.group' is missing"):
        read_law(path)


def test_independent_tokens_are_drawn_or_given(tmp_path):
    path = tmp_path / "law.toml"
    head = '[law]\nkind = "independent"\n'
    path.write_text(head + 'length = 12\nspread = 1.5\nseed = 7\nalphabet = "ABC"\n')
    assert read_law(path) == ids.IndependentLaw.random(12, "ABC", spread=1.5, seed=7)
    path.write_text(head + "length = 12\n")
    assert read_law(path) == ids.IndependentLaw.random(12)
    path.write_text(head + "probabilities = [[0.9, 0.1], [1, 0]]\n")
    assert read_law(path) == ids.IndependentLaw([[0.9, 0.1], [1, 0]], "AB")
    for sources in ("", "length = 2\nprobabilities = [[0.9, 0.1], [1, 0]]\n"):
        path.write_text(head + sources)
        with pytest.raises(ids.InputError, match=r"law\.toml, line 1: give one of length and probabilities$"):
            read_law(path)
    path.write_text(head + "length = 12\nspread = -1.0\n")
    with pytest.raises(ids.InputError, match=r"line 4: law\.spread must be at least 0, got -1\.0$"):
        read_law(path)


def test_the_error_lists_every_kind_of_law(tmp_path):
    path = tmp_path / "law.toml"
    path.write_text('[law]\nkind = "markov"\n')
    with pytest.raises(ids.InputError) as caught:
        read_law(path)
    for spec in get_args(get_args(LawSpec)[0]):
        (kind,) = get_args(spec.model_fields["kind"].annotation)
        assert repr(kind) in str(caught.value)
