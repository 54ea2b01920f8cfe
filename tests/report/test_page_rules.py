"""Rules for all pages: three sentences in a box, no empty sections, singulars, terms explained, and marked winners."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import infodis_stats as ids
from infodis_stats.report.document import (
    BEST,
    TIED,
    Answer,
    Details,
    Document,
    Heading,
    Note,
    Points,
    SideBySide,
    Table,
    nonempty,
)
from infodis_stats.report.group_names import short_group
from infodis_stats.report.html import render_html
from infodis_stats.report.markdown import render_markdown
from infodis_stats.studies import document_of
from infodis_stats.studies.comparison.report.answer import answer
from infodis_stats.studies.comparison.report.tables import main_table
from infodis_stats.studies.comparison.report.winners import winner_of
from infodis_stats.studies.view import Study
from tests.support.small_studies import SMALL_STUDY

STUDIES = ("study", "ratio_study", "frontier_study", "calibration_study", "information_study")
SENTENCE_ENDS = re.compile(r"[.!?](?= [A-Z]|$)")


@pytest.fixture(params=STUDIES)
def document(request):
    return document_of(request.getfixturevalue(request.param))


def test_a_box_has_three_sentences_at_most(document):
    (found,) = [section for section in document.sections if isinstance(section, Answer)]
    assert found.box + found.also == found.sentences
    assert 1 <= sum(len(SENTENCE_ENDS.findall(text)) for text in found.box) <= 3
    box = render_html(document).split('<section class="answer">')[1].split("</section>")[0]
    assert box.count("<p>") == len(found.box)
    if found.also:
        assert "\nAlso:\n" in render_markdown(document)


def test_control_two_sentences_in_one_are_counted():
    assert len(SENTENCE_ENDS.findall("At 8 passes 0.5 is less. It is exact.")) == 2


def test_no_section_is_empty(document):
    sections = nonempty(document.sections)
    for section, after in zip(sections, [*sections[1:], Heading("end")], strict=True):
        if isinstance(section, Heading):
            assert not (isinstance(after, Heading) and after.depth <= section.depth), section
        assert not (isinstance(section, Table) and section.frame.empty)


def test_empty_parts_are_left_out_at_every_depth():
    empty, full = Table(pd.DataFrame()), Table(pd.DataFrame({"a": ["1"]}))
    sections = [
        Heading("gone"),
        Heading("gone too", 3),
        empty,
        Heading("kept"),
        Heading("below", 3),
        full,
        Details("gone", [Heading("gone"), empty]),
        Details("kept", [empty, Note("text")]),
        SideBySide([(Heading("gone"), empty), (Heading("kept"), full)]),
        Points([]),
        Heading("the last"),
    ]
    page = re.sub(' id="[^"]*"', "", render_html(Document("Title", "", sections)))
    text = render_markdown(Document("Title", "", sections))
    for shown in (page, text):
        assert "gone" not in shown
        assert "the last" not in shown
        assert shown.count("kept") == 3


def test_one_thing_is_singular(document):
    for page in (render_html(document), render_markdown(document)):
        text = re.sub(r"<svg.*?</svg>|<pre>.*?</pre>|```.*?```", "", page, flags=re.DOTALL)
        things = "cells|groups|subjects|targets|pairs|passes|replicates|sequences|intervals|checks"
        assert re.findall(rf"(?<![\d.,])1 (?:{things})\b", text) == []


def test_the_word_cell_is_explained_where_it_first_stands(document):
    page = re.sub(r"<head>.*?</head>", "", render_html(document), flags=re.DOTALL)
    first = re.search(r"\bcells?\b", page)
    opening = page.index('<section class="verdict'), page.index("</section>")
    assert "A cell is" in page[slice(*opening)]
    assert opening[0] < first.start() <= page.index("A cell is") + len("A cell")


def with_equal_variances(tree):
    """Return the small study with estimates of two estimators that have the same variance, and no exact one."""
    changed = tree.copy(deep=True)
    rng = np.random.default_rng(0)
    draws = changed["draws"]["estimate"]
    last = int(draws["passes"][-1])
    for name in ("time-free", "uniform-count+stratified"):
        place = {"estimator": name, "passes": last}
        draws.loc[place] = rng.normal(size=draws.sel(place).shape)
    changed["summary"]["efficiency"].loc[{"estimator": "uniform-count+stratified"}] = 1.1
    return changed


def test_the_winner_is_marked_and_ties_are_named(study):
    plain = winner_of(Study(study), "short")
    assert plain == ("uniform-count+stratified", (), ("exhaustive",))
    column = "times less variance than time-free"
    marks = main_table(Study(study), "short").set_index("estimator")[column]
    assert marks["uniform-count+stratified"].endswith(BEST)
    assert not any(marks.drop("uniform-count+stratified").str.endswith((BEST, TIED)))

    tree = with_equal_variances(study)
    assert winner_of(Study(tree), "short").tied == ("time-free",)
    assert "; time-free is not significantly different from it; exhaustive is exact." in answer(Study(tree))[0]
    marks = main_table(Study(tree), "short").set_index("estimator")[column]
    assert marks["time-free"].endswith(TIED)
    assert f'<td class="best">{marks["uniform-count+stratified"]}</td>' in render_html(document_of(tree))


def test_with_few_replicates_no_tie_is_named(study):
    few = study.copy(deep=True)
    few["draws"] = xr.DataTree(with_equal_variances(study)["draws"].to_dataset().isel(replicate=slice(5)))
    assert winner_of(Study(few), "short").tied == ()


def test_the_subject_of_a_group_is_said_once(tmp_path):
    law = 'law = { kind = "markov-chain", order = 1, seed = 5 }'
    groups = '{ name = "chain: one", count = 3, length = 4 }, { name = "long: chain", count = 3, length = 5, seed = 2 }'
    head = SMALL_STUDY.split("[law]")[0].replace("[4, 8, 31]", "[4]").replace(', "exhaustive"', "")
    path = tmp_path / "study.toml"
    path.write_text(
        f'{head}[[subjects]]\nname = "A chain"\n{law}\ntargets = [{groups}]\n'
        f'[[subjects]]\nname = "Other"\n{law}\ntargets = [{{ name = "b", count = 3, length = 4 }}]\n'
    )
    tree = ids.run_study(path)
    report = document_of(tree)
    page = render_html(report)
    assert "A chain/one" in page
    read = re.sub(r"<(pre|title)>.*?</\1>", "", page, flags=re.DOTALL)  # without keys and names of items
    assert "A chain/chain: one" not in read
    assert "A chain/long: chain" in page
    assert set(report.tables["summary"]["group"]) == {"A chain/chain: one", "A chain/long: chain", "Other/b"}
    assert set(tree["summary"]["group"].values) == set(report.tables["summary"]["group"])


@pytest.mark.parametrize(
    "name", ["a group", "A chain/long", "A chain/of letters: one", "A chain/chain:", "chain: one", "B/b: one"]
)
def test_other_names_of_groups_stay_as_they_are(name):
    assert short_group(name, ["A chain"]) == name


def test_a_table_says_why_a_significant_pair_is_open():
    law = ids.MarkovChain.random(order=1, alphabet="ACGT", seed=0)
    first, second = law.sample(3, length=8, seed=1), law.sample(3, length=8, seed=2)
    result = ids.estimate_log_ratio(law, first, second, "uniform-count+stratified", passes=32)
    assert "open" not in " ".join(ids.summary(result).notes)
    result["cautions"].loc[{"pair": 0, "caution": "skewed"}] = True
    table = ids.summary(result)
    assert table.to_dataframe()["likelier"].tolist() == ["open", "open", "first"]
    (note,) = [note for note in table.notes if "open" in note]
    assert note == (
        "Significant, but open without a claim: 0; a caution (skewed) says that their intervals may miss without "
        "showing it."
    )
    result["effective_passes"][:] = 1.0
    result["cautions"].loc[{"pair": 0, "caution": "skewed"}] = False
    assert "in many pairs a single pass carries the spread" in " ".join(ids.summary(result).notes)
