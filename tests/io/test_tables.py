"""Tables keep texts as they are: in a terminal, in Markdown, LaTeX, CSV and HTML."""

import csv
import io

import pandas as pd
import pytest

import infodis_stats as ids
from infodis_stats.io.tables import csv_table, markdown_table, terminal_table

NAMES = ["007", "1e3", "1_000", "nan", "inf", "True", "None", "0x10", "+5", "3.14159", "1,5", "-0.0", "٣"]
CONTROLS = {"line\nbreak": r"line\nbreak", "\x1b[31mred": r"\x1b[31mred", "a\u202eb": r"a\u202eb", "\ud800": r"\ud800"}
LAW = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)


def estimated(names):
    return ids.estimate_nll(LAW, LAW.sample(len(names), length=4, seed=1), passes=4, replicates=2, names=names)


def cells_of(printed):
    """Return the first column of a table, below its heading and line."""
    return [line.split()[0] for line in printed.splitlines()[2:] if line.strip()]


def test_names_that_look_like_numbers_are_printed_as_they_are():
    frame = pd.DataFrame({"id": NAMES, "nll": range(len(NAMES))})
    assert cells_of(terminal_table(frame)) == NAMES
    assert [row.split("|")[1].strip().replace("\\", "") for row in markdown_table(frame).splitlines()[2:]] == NAMES


def test_control_numbers_are_still_rounded_and_aligned():
    printed = terminal_table(pd.DataFrame({"id": ["1.23456"], "nll": [1.23456]}))
    assert printed.splitlines()[-1].split() == ["1.23456", "1.23"]


def test_a_summary_shows_names_as_they_are_in_every_format():
    table = ids.summary(estimated(NAMES))
    assert cells_of(str(table))[: len(NAMES)] == NAMES
    rows = [row.split("|")[1].strip().replace("\\", "") for row in table.to_markdown().splitlines()[2:]]
    assert rows == NAMES
    latex = [row.split("&")[0].strip().replace("\\", "") for row in table.to_latex().splitlines() if "&" in row]
    assert latex[1:] == NAMES
    assert table.to_dataframe()["sequence"].tolist() == NAMES


@pytest.mark.parametrize("name", CONTROLS)
def test_control_characters_do_not_reach_a_terminal(name):
    frame = pd.DataFrame({"id": [name]}, dtype=object)  # half a surrogate pair fits into no other column of text
    assert CONTROLS[name] in terminal_table(frame)
    if name != "\ud800":  # which no estimate accepts
        assert CONTROLS[name] in str(ids.summary(estimated([name])))
    assert len(terminal_table(frame).splitlines()) == 3


def test_names_are_literal_in_markdown():
    active = ["a|b", "*a*", "__init__", "[a](b)", "`a`", "<b>", "~~a~~", "$x$"]
    rows = markdown_table(pd.DataFrame({"id": active})).splitlines()[2:]
    assert [row.count("|") for row in rows] == [2] * len(active)
    assert rows[1].split() == ["|", r"\*a\*", "|"]
    assert "](" not in rows[3]


def test_csv_gives_texts_back():
    texts = [*NAMES, "", "a\r\nb", 'a"b', "a,b", " 7 "]
    written = csv_table(pd.DataFrame({"id": texts, "nll": [0.1 + 0.2] * len(texts)}))
    read = pd.read_csv(io.StringIO(written, newline=""), dtype={"id": str}, keep_default_na=False)
    assert read["id"].tolist() == texts
    rows = csv.reader(io.StringIO(written, newline=""), quoting=csv.QUOTE_NONNUMERIC)
    assert list(rows)[1:] == [[text, 0.1 + 0.2] for text in texts]
