"""The reference of study files names every key that the models check."""

import json

import pytest

import infodis_stats as ids
from infodis_stats.studies import study_reference, study_schema
from infodis_stats.studies.design.toml import tables_in
from infodis_stats.studies.kinds import KINDS, kind_named
from tests.support.command_line import run


def keys_of(table):
    for key, field in table.model_fields.items():
        yield key, field
        for inner in tables_in(field.annotation):
            yield from keys_of(inner)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_key_has_a_row_with_its_meaning(kind):
    page = study_reference(kind.name)
    for key, field in keys_of(kind.schema):
        assert field.description, key
        assert any(
            line.startswith(f"| `{key}` |") and line.endswith(f"| {field.description} |") for line in page.splitlines()
        ), key


def test_defaults_limits_and_choices_are_stated():
    page = study_reference("comparison")
    assert "| `stay` | number at least 0 and less than 1 | `0.95` |" in page
    assert "| `count` | integer at least 1 | `128` |" in page  # of a table law
    assert "| `passes` | list of integers at least 1 | required |" in page
    assert '| `edit` | `"substitution"` or `"unrelated"` | none |' in page
    assert "| `records` | file name | none |" in page
    assert "## `[[targets]]`" in page
    assert '### `[law]` with `kind = "hidden-markov"`' in page


def test_the_command_prints_markdown_or_json(capsys):
    status, out, _ = run(capsys, "schema", "frontier")
    assert (status, out) == (0, study_reference("frontier") + "\n")
    status, out, _ = run(capsys, "schema")
    assert [line for line in out.splitlines() if line.startswith("# ")] == [f'# kind = "{kind.name}"' for kind in KINDS]
    status, out, _ = run(capsys, "schema", "corpora", "--json")
    assert json.loads(out) == json.loads(json.dumps(study_schema("corpora")))
    assert run(capsys, "schema", "corpra")[::2] == (
        2,
        "infodis-stats: there is no kind of study 'corpra'; did you mean 'corpora'?\n",
    )


def test_the_command_line_lists_every_kind(capsys):
    with pytest.raises(SystemExit):
        run(capsys, "init", "--help")
    said = " ".join(capsys.readouterr().out.split())
    assert all(kind.name in said for kind in KINDS)
    with pytest.raises(ids.InputError):
        kind_named("")
