"""How to cite, from CITATION.cff: the text, and entries for BibTeX."""

from pathlib import Path

import yaml

CITATION = Path(__file__).parents[2] / "CITATION.cff"


def generate() -> str:
    """Return Markdown with the software and the paper, as text and as BibTeX."""
    software = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
    (paper,) = software["references"]
    authors = ", ".join(author["family-names"] for author in paper["authors"])
    (arxiv,) = (entry["value"].removeprefix("arXiv:") for entry in paper["identifiers"] if entry["type"] == "other")
    team = software["authors"][0]["name"]
    return f"""- {team}. *{software["title"]}*. Version {software["version"]}.
- {authors} ({paper["year"]}). *{paper["title"]}*. {paper["collection-title"]}.
  [arXiv {arxiv}](https://arxiv.org/abs/{arxiv})

```bibtex
@software{{infodis_stats,
  author  = {{{{{team}}}}},
  title   = {{{software["title"]}}},
  version = {{{software["version"]}}},
}}

@inproceedings{{infodis,
  author    = {{{authors.replace(", ", " and ")}}},
  title     = {{{paper["title"]}}},
  booktitle = {{{paper["collection-title"]}}},
  year      = {{{paper["year"]}}},
  note      = {{arXiv:{arxiv}}},
}}
```
"""
