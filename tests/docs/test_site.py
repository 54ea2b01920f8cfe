"""Text from elsewhere and links to it; the gallery; the check of a built site."""

from pathlib import Path

import check_site
import gallery
import pytest
import sources

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


class TestLinks:
    def test_pages_of_the_repository_become_pages_of_the_site(self):
        assert sources.site_links("[x](../CONTRIBUTING.md#add-a-family)", DOCS, "studies") == (
            "[x](/developers/contributing.md#add-a-family)"
        )
        assert sources.site_links("[x](docs/models.md)", ROOT, "developers/contributing") == "[x](/models.md)"

    @pytest.mark.parametrize(("page", "top"), [("studies", "."), ("which/estimator", "..")])
    def test_reports_become_their_copies(self, page, top):
        folder = (DOCS / page).parent
        up = "../" * (page.count("/") + 1)
        linked = sources.site_links(f"[block]({up}reports/block/report.md#tables)", folder, page)
        assert linked == f"[block](site:{top}/reports/block/report.html#tables)"

    def test_images_keep_their_files(self):
        image = sources.site_links("![a](reports/ood/figures/maps.svg)", ROOT, "about/x")
        assert image == "![a](../../reports/ood/figures/maps.svg)"

    @pytest.mark.parametrize(
        "link", ["[a](https://example.org)", "[a](#here)", "[a](/models.md)", "[a](../nothing.md)"]
    )
    def test_other_links_stay(self, link):
        assert sources.site_links(link, DOCS, "models") == link

    def test_all_pages_that_are_files_of_the_repository_exist(self):
        for file, page in sources.PAGES.items():
            assert (ROOT / file).exists()
            assert (DOCS / page).exists()


def test_a_section_is_what_stands_below_its_heading():
    text = "# A\na\n## B c!\nb\n### D\nd\n## E\ne\n"
    assert sources.section(text, "b-c") == "b\n### D\nd"
    assert sources.section(text, "e") == "e"
    with pytest.raises(ValueError, match="no heading has the anchor #f"):
        sources.section(text, "f")


class TestGallery:
    def test_each_report_has_a_card_with_title_verdict_finding_and_figure(self):
        pages = {*(ROOT / "reports").glob("*/report.md"), *(ROOT / "reports").glob("*/scan.md")}
        found = gallery.reports()
        assert {report.page for report in found} == {f"{path.parent.name}/{path.stem}.html" for path in pages}
        text = gallery.generate()
        for report in found:
            assert report.kind in gallery.KINDS, report
            assert report.title
            assert report.finding
            assert (DOCS / "reports" / report.figure).is_file(), report
            assert f":link: {report.page}" in text
        assert {report.verdict for report in found if report.kind != "scan"} <= set(gallery.BADGES)

    def test_what_is_read(self, tmp_path):
        (tmp_path / "small").mkdir()
        (tmp_path / "small.toml").write_text('kind = "corpora"\n')
        page = tmp_path / "small" / "report.md"
        page.write_text(
            "# T\n\nwhat\n\n**caution**: read\n\n- caution: bias\n- It costs 2 nats.\n\n![a](figures/a.svg)\n"
        )
        report = gallery.read_report(page)
        figure = "../../reports/small/figures/a.svg"
        assert report == ("small/report.html", "corpora", "T", "caution", "It costs 2 nats.", figure)

    def test_long_findings_end_after_a_clause(self):
        long = "; ".join(["It costs more than it should by a few nats per token"] * 8)
        short = gallery._shortened(long)
        assert len(short) < 265
        assert long.startswith(short.removesuffix(" …"))
        assert short.endswith("per token …")
        assert gallery._shortened("It costs 2 nats.") == "It costs 2 nats."


class TestCheckSite:
    def test_a_site_in_order_has_no_problems(self, tmp_path):
        (tmp_path / "a.html").write_text(
            '<p id="x"><a href="b/c.html#y">c</a><a href="#x">x</a><a href="https://a.b">z</a>'
        )
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "c.html").write_text('<p id="y"><a href="../a.html">a</a><img src="data:image/png;base64,">')
        assert list(check_site.problems(tmp_path)) == []

    @pytest.mark.parametrize(
        ("html", "problem"),
        [
            ('<a href="b.html">', "a.html links to b.html, which does not exist"),
            ('<a href="a.html#y">', "a.html links to a.html#y, and that page has no such anchor"),
            ('<a href="../a.html">', "a.html links to ../a.html, which does not exist"),
            ('<img src="i.svg">', "a.html links to i.svg, which does not exist"),
            ('<script src="https://x.y/s.js">', "a.html loads https://x.y/s.js, which is not part of the site"),
            ('<link href="//x.y/s.css">', "a.html loads //x.y/s.css, which is not part of the site"),
        ],
    )
    def test_control_each_problem_is_found(self, tmp_path, html, problem):
        (tmp_path / "a.html").write_text(html)
        assert list(check_site.problems(tmp_path)) == [problem]
