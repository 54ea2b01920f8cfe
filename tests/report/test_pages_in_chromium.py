"""Pages in a browser: no sideways scrolling on a phone, tables that sort by value, and readable colours."""

import re
from importlib import resources

import pandas as pd
import pytest

import infodis_stats as ids
from infodis_stats.harness.comparison import compare_models
from infodis_stats.harness.report.document import write_harness_report
from infodis_stats.report import write_index
from infodis_stats.report.document import Document, Heading, Note, Table, Verdicts
from infodis_stats.report.html import render_html
from infodis_stats.studies import study_template
from infodis_stats.studies.kinds import kinds_by_name
from tests.harness.test_extra_keys import small_task
from tests.support.chromium import CHROMIUM, overflowing, run_in_pages
from tests.support.harness_data import perplexity_dataset, with_failure

needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
LAW = ids.MarkovChain.random(order=2, alphabet="ACGT", seed=0)
PHONE, SCREEN = 390, 1280
WIDE = "no-space-in-this-word" * 12


def write_page(folder, name, document):
    (folder / name).write_text(render_html(document), encoding="utf-8")
    return folder / name


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Pages of everything but studies, with long names."""
    folder = tmp_path_factory.mktemp("pages")
    tokens = LAW.sample(4, length=20, seed=1)
    scan = ids.scan_substitutions(LAW, tokens[0], "uniform-count+stratified", passes=8, replicates=4)
    result = ids.estimate_nll(LAW, tokens, "time-free", passes=8, replicates=8)
    result = result.assign_coords(sequence=[f"{WIDE}{number}" for number in range(4)])
    task = with_failure(small_task("arc", 30, 0), [1], f"question 1: {WIDE}")
    tasks = {"arc": task, "rolling": perplexity_dataset(9, 0)}
    compared = compare_models(task, task.assign_attrs(model=WIDE))
    return [
        ids.write_scans({"one": scan, WIDE: scan}, folder / "scan"),
        ids.write_diagnosis(result, folder / "diagnosis"),
        write_harness_report(tasks, folder / "harness", comparisons=[compared]),
        write_index(folder),
    ]


def at_both_widths(pages):
    return [(page, width) for page in pages for width in (PHONE, SCREEN)]


@needs_browser
def test_pages_do_not_scroll_sideways_and_a_control_does(pages, tmp_path):
    control = tmp_path / "control.html"
    control.write_text(
        pages[0].read_text(encoding="utf-8").replace("<h1>", f'<p style="white-space: nowrap">{WIDE}<h1>', 1)
    )
    found = overflowing([*at_both_widths(pages), (control, PHONE)], tmp_path)
    assert len(found) == 1
    assert found[0].endswith("px")
    assert "control.html at 390 px" in found[0]


@needs_browser
@pytest.mark.slow
def test_pages_of_every_kind_of_study_do_not_scroll_sideways(tmp_path):
    pages = []
    for kind in kinds_by_name():
        (tmp_path / "study.toml").write_text(study_template(kind))
        pages.append(ids.write_report(ids.run_study(tmp_path / "study.toml"), tmp_path / kind))
    pages.append(ids.write_model_check(ids.check_model(ids.load_model("austen")), tmp_path / "check"))
    pages.append(write_index(tmp_path))
    assert overflowing(at_both_widths(pages), tmp_path) == []


VALUES = {
    "name": ["b10", "a", "\N{EN DASH}", "b9", ""],
    "number": ["1,234", "12 [3, 4] ◆", "\N{EN DASH}", "-0.5 ± 0.1*", "2.50e-09"],
    "gain": ["exact", "∞", "3.0", "\N{EN DASH}", "\N{MINUS SIGN}4.8 %"],
}
SORTED = {  # rows in ascending and in descending order; missing values are last in both
    "name": ([1, 3, 0, 2, 4], [0, 3, 1, 2, 4]),
    "number": ([3, 4, 1, 0, 2], [0, 1, 4, 3, 2]),
    "gain": ([4, 2, 0, 1, 3], [0, 1, 2, 4, 3]),
}
PRESS = """
    const table = page.querySelector("table.sortable");
    const heads = [...table.tHead.rows[0].cells];
    const rows = () => [...table.tBodies[0].rows].map((row) => Number(row.cells[3].textContent));
    return heads.slice(0, 3).map((head) => {
        const button = head.querySelector("button");
        const seen = [0, 1, 2].map(() => { button.click(); return [head.getAttribute("aria-sort"), rows()]; });
        button.focus();
        return { seen, focused: page.activeElement === button, sorted: heads.filter((one) => one.ariaSort).length };
    });
"""


@needs_browser
def test_tables_sort_by_value(tmp_path):
    table = pd.DataFrame(VALUES | {"row": [str(row) for row in range(5)]})
    low = Table(table[["gain", "gain", "gain", "row"]].set_axis(["a", "b", "c", "d"], axis=1), exact=0.0)
    names = ("sorted.html", "low.html")
    files = [
        write_page(tmp_path, name, Document("Sorted", "", [one]))
        for name, one in zip(names, (Table(table), low), strict=True)
    ]
    columns, (low_column, *_) = run_in_pages([(file, SCREEN) for file in files], PRESS, tmp_path)
    for (name, (up, down)), column in zip(SORTED.items(), columns, strict=True):
        ascending, descending, original = column["seen"]
        assert ascending == ["ascending", up], name
        assert descending == ["descending", down], name
        assert original == [None, [0, 1, 2, 3, 4]], name
        assert column["focused"]
        assert column["sorted"] == 0
    assert low_column["seen"][0] == ["ascending", [4, 0, 2, 1, 3]], "exact is 0 in this table"


@needs_browser
def test_no_other_script_runs(tmp_path):
    """The policy of the page stops a script even where escaping failed."""
    page = write_page(tmp_path, "page.html", Document("Title", "", [Note("text")]))
    bad = '<script>document.title = "ran"</script><p onclick="document.title = \'clicked\'">'
    open_page = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    for name, text in (("kept.html", page.read_text()), ("open.html", open_page)):
        (tmp_path / name).write_text(text.replace("<h1>", f"{bad}<h1>", 1))
    files = [(tmp_path / name, SCREEN) for name in ("kept.html", "open.html")]
    script = 'const first = page.title; page.querySelector("p").click(); return [first, page.title];'
    assert run_in_pages(files, script, tmp_path) == [["Title", "Title"], ["ran", "clicked"]]


def luminance(colour):
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first, second):
    dark, light = sorted(map(luminance, (first, second)))
    return (light + 0.05) / (dark + 0.05)


def test_text_has_enough_contrast_by_day_and_by_night():
    """At least 4.5 to 1, which WCAG 2 asks of text (level AA)."""
    style = resources.files("infodis_stats.report").joinpath("style.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, flags=re.DOTALL)[:2]
    for block in (light, dark):
        colours = dict(re.findall(r"--([\w-]+): (#\w{6})", block))
        for ground in ("page", "found", "warned", "code"):
            for text in ("text", "soft", "link", "better", "worse"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        for ground in ("fine", "caution", "bad"):
            assert contrast(colours["word"], colours[ground]) >= 4.5, ground
    assert contrast("#777777", "#888888") < 4.5, "control"


def test_a_table_of_contents_needs_four_parts():
    parts = [section for name in "ABCD" for section in (Heading(f"Part <{name}>"), Note("text"))]
    page = render_html(
        Document("Title", "", [Verdicts(ids.diagnose(ids.estimate_nll(LAW, LAW.sample(2, length=4, seed=0)))), *parts])
    )
    links = re.findall(r'<li><a href="#([\w-]+)">Part &lt;(\w)&gt;</a></li>', page)
    assert [name for _, name in links] == list("ABCD")
    for anchor, name in links:
        assert f'<h2 id="{anchor}">Part &lt;{name}&gt;</h2>' in page
    assert page.index('class="verdict') < page.index('class="contents"') < page.index("<h2")
    assert 'class="contents"' not in render_html(Document("Title", "", parts[:6]))
