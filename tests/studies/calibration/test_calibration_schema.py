"""Calibration study files: invalid ones are rejected in one sentence that names the line."""

import pytest

import infodis_stats as ids
from infodis_stats.studies.calibration.schema import CalibrationSpec
from infodis_stats.studies.study_file import read_study
from tests.support.small_studies import SMALL_CALIBRATION


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("intervals =", "interval =", 8, "unknown key 'interval'; did you mean 'intervals'?"),
        ('"student-t"', '"studnet-t"', 8, "there is no interval 'studnet-t'; did you mean 'student-t'?"),
        ('"student-t"', '"auto"', 8, "intervals must differ"),
        ("replicates = [1, 4]", "replicates = [4, 4]", 5, "replicates must differ"),
        ("levels = [0.8, 0.95]", "levels = [0.8, 95]", 9, "levels.1 must be less than 1"),
        ("most_passes = 4", "most_passes = 3", 16, "subject 'Three letters' cannot run: most_passes must be at least"),
        ("draws = 40", "draws = 3", 6, "draws must be at least the largest of replicates, 4"),
        ('"uniform-count", ', '"unifrom-count", ', 7, "there is no estimator 'unifrom-count'; did you mean"),
        ('name = "Three letters"', 'name = "A <b>chain</b>"', 15, "the names of subjects must differ"),
        ("draws = 40", 'draws = 40\ncontrasts = ["coupled"]', 7, "contrasts = "),
    ],
)
def test_errors_name_the_line(tmp_path, old, new, line, words):
    assert old in SMALL_CALIBRATION
    path = tmp_path / "bad.toml"
    path.write_text(SMALL_CALIBRATION.replace(old, new, 1))
    with pytest.raises(ids.InputError) as caught:
        read_study(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert words in sentence
    assert sentence.startswith(f"{path}, line {line}: " if line else f"{path}: ")


def test_the_small_study_is_valid(tmp_path):
    path = tmp_path / "good.toml"
    path.write_text(SMALL_CALIBRATION)
    spec, _ = read_study(path)
    assert isinstance(spec, CalibrationSpec)
    assert spec.levels == (0.8, 0.95)
