"""Information study files: invalid ones are rejected in one sentence that names the line."""

import pytest

import infodis_stats as ids
from infodis_stats.studies.information.schema import InformationSpec
from infodis_stats.studies.study_file import read_study
from tests.support.small_studies import SMALL_INFORMATION


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("reference =", "referense =", 6, "unknown key 'referense'; did you mean 'reference'?"),
        ('reference = "uniform-count+stratified"', 'reference = "chain"', 6, "reference 'chain' is none of time"),
        ("passes = [4, 8]", "passes = [4, 4]", 4, "passes must differ"),
        ("replicates = 16", "replicates = 5", 5, "must be at least 6, got 5"),
        ("replicates = 16", "replicates = 6", 5, "replicates must be at least interval_replicates, 8"),
        ('"score-entropy(uniform)"', '"score-entropy(unifrom)"', 11, "one noise (absorbing, uniform, mixed-SHARE)"),
        ('name = "Hidden"', 'name = "A <b>chain</b>"', 26, "the names of subjects must differ"),
        ("count = 3, length = 11,", "count = 3, context = 2, length = 11,", 17, "leave out context"),
        ("{ sequences = 64,", '{ noises = ["uniform", "uniform"], sequences = 64,', 15, "noises must differ"),
        ("{ sequences = 64,", '{ noises = ["gaussian"], sequences = 64,', 15, "'absorbing' or 'uniform'"),
        ("{ sequences = 64,", "{ sequences = 1,", 15, "must be at least 2, got 1"),
        ('law = { kind = "hidden', 'model = { name = "austen" }\nlaw = { kind = "hidden', 25, "a law and targets"),
        (
            'targets = [{ name = "25"',
            'pairs = [{ name = "25", context = 2, edit = "unrelated"',
            25,
            "a law and targets",
        ),
    ],
)
def test_errors_name_the_line(tmp_path, old, new, line, words):
    assert old in SMALL_INFORMATION
    path = tmp_path / "bad.toml"
    path.write_text(SMALL_INFORMATION.replace(old, new, 1))
    with pytest.raises(ids.InputError) as caught:
        read_study(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert words in sentence
    assert sentence.startswith(f"{path}, line {line}: " if line else f"{path}: ")


def test_a_valid_file_gets_its_defaults(tmp_path):
    path = tmp_path / "good.toml"
    path.write_text(SMALL_INFORMATION)
    spec, text = read_study(path)
    assert isinstance(spec, InformationSpec)
    assert text == SMALL_INFORMATION
    assert (spec.curves.noises, spec.curves.sequences, spec.level) == (("absorbing", "uniform"), 64, 0.95)
    assert [one.name for one in spec.samplers()] == list(spec.estimators)
