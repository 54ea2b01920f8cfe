"""Every number in the prose of the README is what the table that it names says."""

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parent.parent
REPORTS = ROOT / "reports"
LARGE = 100  # from here on thousands are separated


def table(report: str, name: str) -> pd.DataFrame:
    return pd.read_csv(REPORTS / report / "tables" / f"{name}.csv")


def number(value: float, digits: int = 2) -> str:
    """Return a number with so many significant digits, as the README writes it."""
    rounded = float(f"{value:.{digits}g}")
    if rounded >= LARGE:
        return f"{rounded:,.0f}"
    return f"{rounded:#.{digits}g}".rstrip(".")


def gains(passes: int, rival: str) -> tuple[str, str]:
    frame = table("frontier_text", "average_gains")
    chosen = frame.query("estimator == 'auto' and passes == @passes and rival == @rival")["mean_gain"]
    assert len(chosen) == 4
    return number(chosen.min()), number(chosen.max())


def frontier() -> list[str]:
    (low, high), (least, most) = gains(32, "systematic"), gains(32, "time-free")
    later, earlier = gains(128, "systematic"), gains(128, "time-free")
    return [
        f"With 32 passes over 16 to 64 positions, its variance is {low} to {high} times smaller",
        f"and {least} to {most} times smaller than that of the paper's time-free estimator",
        f"with 128 passes, {later[0]} to {later[1]} and {earlier[0]} to {earlier[1]} times",
    ]


def noise() -> list[str]:
    frame = table("noise_text", "subjects").query("passes == 128 and subject == 'uniform noise'").set_index("shared")
    ratios = {
        shared: f"{number(1 / row['lead'])} [{number(1 / row['lead_upper'])}, {number(1 / row['lead_lower'])}]"
        for shared, row in frame.iterrows()
    }
    return [
        f"has {ratios['64 characters']} and {ratios['16 characters']} times less variance at 128 passes than the best "
        "score entropy under uniform noise, on 64 and on 16 characters"
    ]


def block() -> list[str]:
    frame = table("block", "single").set_index(["subject", "estimator"])
    off = 100 * frame.loc[("austen-block4", "time-integral(eps=0.001)"), "text_off"]
    (length,) = table("block", "texts")["length"].unique()
    return [f"of such draws for a text of {length} characters, {off:.1f} % are off by more than 10 %"]


def published() -> list[str]:
    lower = -100 * table("published", "estimands").query("estimand == 'order-marginal'")["difference"]
    assert len(lower) == 4
    return [f"is {number(lower.min())} to {number(lower.max())} % lower than the any-order one"]


def harness() -> list[str]:
    page = (REPORTS / "harness.md").read_text()
    (copies,) = re.findall(
        r"- LLaDA, batches of 32, 128 passes: spread (.*?) points, .*? winners (.*?) to (.*?) %", page
    )
    (race,) = re.findall(r"- race, error=0.01: .*?, wrong winners (.*?) to (.*?) %, (.*?) to (.*?) passes", page)
    wrong, passes = [f"{float(share):.0f}" for share in copies[1:]], [f"{float(count):.0f}" for count in race[2:]]
    return [
        f"name another winner than the model's own in {wrong[0]} to {wrong[1]} % of the questions",
        f"accuracies vary by {copies[0]} points over seeds",
        f"Races take {passes[0]} to {passes[1]} passes, and {float(race[0]):g} to {race[1]} % of their winners differ",
    ]


FIGURES: dict[str, Callable[[], list[str]]] = {
    "reports/frontier_text/tables/average_gains.csv": frontier,
    "reports/noise_text/tables/subjects.csv": noise,
    "reports/block/tables/single.csv": block,
    "reports/published/tables/estimands.csv": published,
    "reports/harness.md": harness,
}


def prose() -> str:
    """Return the paragraphs of the README on one line, without code, tables, links and what their names say."""
    text = (ROOT / "README.md").read_text()
    text = re.sub(r"```.*?```|^    .*?$|^!\[.*?$|^#.*?$|^\|.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    return " ".join(re.sub(r"`[^`]*`", "", text).split())


def paragraph_with(link: str) -> str:
    paragraphs = (" ".join(part.split()) for part in (ROOT / "README.md").read_text().split("\n\n"))
    (found,) = (paragraph for paragraph in paragraphs if link in paragraph)
    return found


@pytest.mark.parametrize("source", FIGURES)
def test_figures_are_those_of_the_table_that_the_paragraph_names(source):
    paragraph = paragraph_with(source)
    for sentence in FIGURES[source]():
        assert sentence in paragraph, sentence


NO_FIGURES = (
    "NeurIPS 2025",
    r"arXiv 2510\.24088\]\(https://arxiv\.org/abs/2510\.24088",
    r"Python 3\.11",
    "BSD-3-Clause",
    "blocks of 4",  # of the model's name
    "exact likelihoods in 15 passes",  # all masks of 4 positions but one: 2 ** 4 - 1
    "exact in 15 passes",
    "characters in blocks of 16",
    "On 60 questions of each",
    "128 passes per choice",
    "from 9 passes on",
)
"""Numbers that no measurement gives: names, and what holds by construction."""


def without_table(text: str) -> list[str]:
    """Return what surrounds the numbers of a text that neither a table nor a name explains."""
    for sentence in [sentence for figures in FIGURES.values() for sentence in figures()]:
        text = text.replace(re.sub(r"`[^`]*`", "", sentence), "")
    for pattern in NO_FIGURES:
        text = re.sub(pattern, "", text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    return re.findall(r"[^.]{0,40}\d[^.]{0,20}", text)


def test_every_number_in_the_prose_names_its_table():
    assert not without_table(prose())


def test_control_a_number_without_a_table_is_found():
    (found,) = without_table(prose() + " Most are 3 times faster.")
    assert "3 times" in found


def test_control_another_value_is_not_in_the_readme():
    sentence = noise()[0]
    assert sentence.replace("[", "[1", 1) not in paragraph_with("reports/noise_text/tables/subjects.csv")
    assert number(1794.0) == "1,800"
    assert number(4.02) == "4.0"
    assert number(67.4) == "67"
