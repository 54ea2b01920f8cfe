"""The reference has every public name, every command with its options, every key of study files and every estimator."""

import argparse
import doctest
import inspect
import re
from collections import Counter
from importlib import import_module
from pathlib import Path

import command_line
import estimator_table
import interval_table
import public_names
import pytest
import study_file
import yaml
from pydantic import BaseModel

import estimators
import infodis_stats as ids
from infodis_stats import analysis
from infodis_stats.results.validity import CAUTIONS
from infodis_stats.studies.kinds import kinds_by_name

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
MARKER = re.compile(r"<!-- generated: (\w+)((?: \S+)*) -->")


def generated(generator):
    """Return the arguments of each marker of a generator on the pages of the reference."""
    found = [match for page in sorted(REFERENCE.rglob("*.md")) for match in MARKER.finditer(page.read_text())]
    return [match[2].split() for match in found if match[1] == generator]


def test_every_public_name_is_on_one_page():
    names = Counter(name for prefixes in generated("public_names") for name in public_names.names_of(*prefixes))
    public = [*ids.__all__, *(f"estimators.{name}" for name in estimators.__all__)]
    wanted = {name if "." in name else f"infodis_stats.{name}" for name in public}
    assert set(names) == wanted | {f"infodis_stats.analysis.{name}" for name in analysis.__all__}
    assert set(names.values()) == {1}


def test_control_a_page_without_its_marker_would_miss_names():
    prefixes = [each for each in generated("public_names") if each != ["infodis_stats.laws"]]
    names = {name for each in prefixes for name in public_names.names_of(*each)}
    assert "infodis_stats.MarkovChain" not in names


def test_public_functions_have_an_example():
    functions = {name for name in (*ids.__all__, *estimators.__all__) if inspect.isfunction(getattr(ids, name))}
    assert len(functions) > 40
    assert {name for name in functions if ">>>" not in inspect.getdoc(getattr(ids, name))} == set()


def test_names_are_entries_by_what_they_are():
    text = public_names.generate("estimators.model", "estimators.errors")
    assert ".. autoclass:: estimators.ConditionalModel" in text
    assert ".. autoexception:: estimators.InputError(message)" in text
    assert re.search(r"\.\. py:data:: Model\n   :module: estimators\n\n   \w+", text), "a type alias has its words"
    assert ".. autofunction:: estimators.draw" in public_names.generate("estimators.sampling")
    with pytest.raises(ValueError, match=r"no public name comes from estimators\.nothing"):
        public_names.generate("estimators.nothing")


def test_every_option_of_every_command_is_described():
    text = command_line.generate()
    sections = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |^\(options|\Z)", text, re.MULTILINE | re.DOTALL))
    parsers = command_line.commands()
    assert {"study", "nll", "ratio", "eval", "estimators"} <= parsers.keys() <= sections.keys()
    for name, parser in parsers.items():
        links = re.findall(r"\(#options-([\w-]+)\)", sections[name])
        shared = [words for title, words in sections.items() if command_line._anchor(title)[8:] in links]
        assert len(shared) == len(links), name
        everything = "\n".join([sections[name], *shared])
        for action in parser._actions:
            for option in action.option_strings if action.dest != "help" else []:
                assert re.search(rf"`{re.escape(option)}[ `]", everything), (name, option)
            if not action.option_strings and not isinstance(action, argparse._SubParsersAction):
                assert (action.metavar or action.dest.upper()) in sections[name], (name, action.dest)


def test_the_page_of_each_kind_has_all_its_keys():
    pages = [kind for (kind,) in generated("study_file")]
    assert sorted(pages) == sorted(kinds_by_name())
    for kind in pages:
        text = study_file.generate(kind)
        assert not re.search(r"^# ", text, re.MULTILINE)
        for key in keys(kinds_by_name()[kind].schema):
            assert f"| `{key}` |" in text, (kind, key)


def keys(table: type[BaseModel]) -> set[str]:
    """Return the keys of a table and of all tables in it."""
    found = set(table.model_fields)
    for field in table.model_fields.values():
        for name in re.findall(r"[\w.]+", str(field.annotation)):
            if name.startswith("infodis_stats.") and name.count("."):
                module, _, short = name.rpartition(".")
                inner = getattr(import_module(module), short, None)
                if inspect.isclass(inner) and issubclass(inner, BaseModel):
                    found |= keys(inner)
    return found


def test_every_estimator_is_in_a_table_with_its_traits():
    parts = [part for (part,) in generated("estimator_table")]
    assert sorted(parts) == ["auto", "designs", "masked", "noised", "published", "reasons"]
    text = "\n".join(estimator_table.generate(part) for part in parts)
    for name in estimators.estimator_names():
        plain, _, design = name.partition("+")
        assert f"| `{plain}` |" in text
        assert not design or f"`+{design}`" in text
    assert re.search(r"`time-integral` \|.*\| yes \| \*\*no\*\* \|", text), "unbiased, infinite variance"
    assert re.search(r"`exhaustive` \|.*none: exact \| 15, 255 \|", text)
    assert re.search(r"`published-llada` \|.*\| no \| yes \| benchmark scoring \|", text)
    assert re.search(r"^\| 64 \|.*`regression` \|$", text, re.MULTILINE), "what auto takes"


def test_fewest_passes_are_those_from_which_an_estimator_plans():
    assert [estimator_table.fewest_passes(ids.estimator("chain"), length) for length in (4, 8)] == [4, 8]
    assert estimator_table.fewest_passes(ids.estimator("uniform-count"), 4) == 1


def test_every_interval_and_caution_is_listed():
    cautions = interval_table.generate("cautions")
    assert all(f"| `{key}` |" in cautions for key in CAUTIONS)
    assert "| `student-t` |" in interval_table.generate("intervals")


def test_the_examples_of_the_extensions_run():
    for module in (public_names,):
        assert doctest.testmod(module).failed == 0


def test_the_citation_is_that_of_the_file():
    citation = import_module("citation").generate()
    facts = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert facts["title"] in citation
    assert f"version = {{{facts['version']}}}" in citation
    assert "Jeon and Shin and Jeon and No" in citation
