"""Hostile study files are read correctly or rejected in one sentence that names the line."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import infodis_stats as ids
from infodis_stats.studies.study_file import read_study
from tests.support.hostility import FUZZ, peak_of, right_or_typed
from tests.support.small_studies import SMALL_CALIBRATION, SMALL_FRONTIER, SMALL_INFORMATION, SMALL_RATIO, SMALL_STUDY

STUDIES = [
    path.read_text(encoding="utf-8") for path in sorted((Path(__file__).parents[2] / "reports").glob("*.toml"))
] + [SMALL_STUDY, SMALL_RATIO, SMALL_FRONTIER, SMALL_CALIBRATION, SMALL_INFORMATION]

VALUES = st.sampled_from(
    [
        *(
            "0",
            "-1",
            "1",
            "2.5",
            "1e400",
            "nan",
            "-inf",
            "true",
            '""',
            '"x"',
            "[]",
            "[[]]",
            "{}",
            "{ a = 1 }",
            "[1, 'a']",
        ),
        *("1000000000000", "9" * 30, "9" * 5000, "0x" + "f" * 5000, "2020-01-01", "[" * 3000 + "]" * 3000),
        *('"../../x"', '"a/b"', '"a\\u0000"', '"a\\nb"', '"\\ud800"', f'"{"a" * 5000}"', '"support"', "'''a\nb'''"),
        *('"uniform-count("', '["time-free", "time-free"]', '"time-integral(eps=1e999)"', "[4, 4]", "[nan]"),
    ]
)
LINES = st.one_of(
    st.text(max_size=12), st.sampled_from(["[law]", "[[targets]]", "[model]", "a.b.c = 1", '"a b" = 1', "]"])
)


@st.composite
def documents(draw):
    """Generate study files with lines deleted, duplicated, moved or inserted, and with some values replaced."""
    lines = draw(st.sampled_from(STUDIES)).splitlines()
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        change = draw(st.sampled_from(["value", "value", "value", "drop", "double", "invent", "cut", "swap"]))
        if change == "value":
            lines[place] = f"{lines[place].partition('=')[0]}= {draw(VALUES)}"
        elif change == "drop" and len(lines) > 1:
            del lines[place]
        elif change == "double":
            lines.insert(place, lines[place])
        elif change == "invent":
            lines.insert(place, draw(LINES))
        elif change == "cut":
            lines[place] = lines[place][: draw(st.integers(0, len(lines[place])))]
        else:
            other = draw(st.integers(0, len(lines) - 1))
            lines[place], lines[other] = lines[other], lines[place]
    return "\n".join(lines)


def read_bytes(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "hostile.toml"
    path.write_bytes(data)
    found = right_or_typed(lambda: read_study(path))
    if found is not None:
        spec, text = found
        assert spec == read_study(path)[0]
        assert text.encode() == data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return found


@settings(FUZZ, max_examples=400)
@given(documents())
def test_changed_studies(tmp_path_factory, text):
    read_bytes(tmp_path_factory, text.encode())


@FUZZ
@given(st.sampled_from(STUDIES), st.integers(0, 10**6), st.binary(max_size=4))
def test_changed_bytes(tmp_path_factory, text, place, added):
    data = text.encode()
    place %= len(data)
    read_bytes(tmp_path_factory, data[:place] + added + data[place + len(added) :])


@FUZZ
@given(st.sampled_from(STUDIES), st.sampled_from(["utf-16", "utf-32", "utf-8-sig", "cp500"]))
def test_other_encodings(tmp_path_factory, text, encoding):
    found = read_bytes(tmp_path_factory, text.encode(encoding))
    assert (found is not None) == (encoding == "utf-8-sig")


UNREADABLE = {
    "deep arrays": (f"a = {'[' * 5000}{']' * 5000}", "cannot be read as TOML: it is nested too deeply"),
    "deep tables": (f"a = {'{a=' * 3000}1{'}' * 3000}", "cannot be read as TOML: it is nested too deeply"),
    "long number": (f"seed = {'9' * 5000}", "has a number with too many digits"),
    "long hexadecimal number": (f"seed = 0x{'f' * 5000}", "has a number with too many digits"),
    "two laws": (f"{SMALL_STUDY}\n[law]\n", "not valid TOML: Cannot declare"),
    "two seeds": (f"seed = 1\n{SMALL_STUDY}", "not valid TOML: Cannot overwrite"),
    "seed beyond a store": (
        SMALL_STUDY.replace("seed = 3", "seed = 9223372036854775808"),
        "line 2: seed must be at most 9223372036854775807, got 9223372036854775808",
    ),
    "name on two lines": (SMALL_STUDY.replace('"short"', r'"a\nb"'), r"line 15: the name 'a\\nb' has control"),
    "title with a NUL": (
        SMALL_STUDY.replace("A small", r"A\u0000 small"),
        "line 1: the name .* has control characters",
    ),
    "many sequences": (SMALL_STUDY.replace("count = 4", "count = 1000000000"), "count x length must be at most"),
    "not a number": (SMALL_STUDY.replace("seed = 3", "seed = nan"), "line 2: seed must be an integer, got nan"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_invalid_studies_are_reported(name, tmp_path):
    text, sentence = UNREADABLE[name]
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(ids.InputError, match=sentence), peak_of(2**24):
        read_study(tmp_path / "a.toml")


def test_a_model_name_that_no_file_can_have_is_one_sentence(tmp_path):
    (tmp_path / "a.toml").write_text(f'{SMALL_STUDY}[model]\nname = "{"a" * 5000}"\n')
    with pytest.raises(
        ids.InputError, match=r"a\.toml, line 27: there is no model 'a+\.\.\.a+'; a model is 'austen', "
    ):
        read_study(tmp_path / "a.toml")


HUGE = {
    "passes": ("[4, 8, 31]", "[1000000000000]"),
    "passes of a scale": ("[4, 8, 31]", "[4, 9000000000000000000]"),
    "replicates": ("replicates = 32", "replicates = 1000000000000"),
    "replicates beyond a store": ("replicates = 32", f"replicates = {10**30}"),
    "alphabet": ('"ACGT"', f'"{"".join(map(chr, range(0x10000, 0x10000 + 10**5)))}"'),
    "contexts": ("order = 1\n", "order = 8\n"),
    "length": ("count = 4\nlength = 7", "count = 1\nlength = 1000000000"),
    "table": ('kind = "markov-chain"\norder = 1\n', 'kind = "table"\ncount = 1000000000\nlength = 7\n'),
    "long table": ('kind = "markov-chain"\norder = 1\n', 'kind = "table"\ncount = 4\nlength = 1000000000\n'),
    "word": ('kind = "markov-chain"\norder = 1\n', 'kind = "code"\ngroup = 1\nlength = 1000000000000\n'),
    "positions": ('kind = "markov-chain"\norder = 1\n', 'kind = "independent"\nlength = 1000000000000\n'),
    "states": ('kind = "markov-chain"\norder = 1\n', 'kind = "hidden-markov"\nstates = 1000000000\n'),
}


@pytest.mark.parametrize("name", HUGE)
def test_oversized_studies_are_rejected_before_they_run(name, tmp_path):
    old, new = HUGE[name]
    assert old in SMALL_STUDY
    (tmp_path / "a.toml").write_text(SMALL_STUDY.replace(old, new))
    with pytest.raises(ids.InputError) as refused, peak_of(2**26):
        ids.run_study(tmp_path / "a.toml")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("old", ["draws = 40", "replicates = [1, 4]", "passes = [4, 8]"])
def test_oversized_calibrations_are_rejected_before_they_run(old, tmp_path):
    new = re.sub(r"\d+(?=\]?$)", "1000000000000", old)
    text = SMALL_CALIBRATION.replace(old, new)
    (tmp_path / "a.toml").write_text(text if old != "replicates = [1, 4]" else text.replace("= 40", "= 1000000000000"))
    with pytest.raises(ids.InputError), peak_of(2**26):
        ids.run_study(tmp_path / "a.toml")


@pytest.mark.parametrize("old", ["sequences = 64", "passes = 8", "replicates = 16"])
def test_oversized_curves_are_rejected_before_they_run(old, tmp_path):
    (tmp_path / "a.toml").write_text(SMALL_INFORMATION.replace(old, re.sub(r"\d+", "1000000000000", old)))
    with pytest.raises(ids.InputError), peak_of(2**26):
        ids.run_study(tmp_path / "a.toml")
