"""What a study survives, less often than ``make robustness`` tries it."""

from work import robustness


def survived(series, fewest):
    assert series.lost == []
    assert series.tries >= fewest
    assert series.studies > 0


def test_flipped_bits(tmp_path):
    survived(robustness.flipped_bits(tmp_path, 20), 20)
