"""Target sets: pairs differ where the study file says, and nowhere else."""

import numpy as np
import pytest

import infodis_stats as ids
from infodis_stats.studies.design.scenario import Subject
from infodis_stats.studies.design.target_sets import make_groups
from infodis_stats.studies.study_file import read_study
from tests.support.small_studies import SMALL_RATIO


def groups(tmp_path, old="", new=""):
    path = tmp_path / "pairs.toml"
    path.write_text(
        SMALL_RATIO.replace("length = 6", "length = 9").replace("count = 3", "count = 40").replace(old, new)
    )
    spec = read_study(path)[0]
    law = spec.law.build()
    return law, make_groups(Subject(law, None), spec)


def sides(group):
    return [np.stack([getattr(pair, side).tokens for pair in group.items]) for side in ("first", "second")]


@pytest.mark.parametrize("substitutions", [1, 3, 7])
def test_pairs_have_the_requested_substitutions_in_scored_positions(tmp_path, substitutions):
    new = f'edit = "substitution"\nsubstitutions = {substitutions}'
    law, (near, _) = groups(tmp_path, 'edit = "substitution"', new)
    first, second = sides(near)
    assert ((first != second).sum(axis=1) == substitutions).all()
    assert (first[:, :2] == second[:, :2]).all()
    assert second.max() < law.vocabulary_size
    np.testing.assert_allclose(near.exact, law.nll(second, context=2) - law.nll(first, context=2))


def test_unrelated_pairs_share_only_their_context(tmp_path):
    law, (_, unrelated) = groups(tmp_path)
    first, second = sides(unrelated)
    assert (first[:, :2] == second[:, :2]).all()
    assert ((first != second).sum(axis=1) > 0).mean() > 0.9
    np.testing.assert_allclose(unrelated.exact, law.nll(second, context=2) - law.nll(first, context=2))
    assert isinstance(unrelated.items[0], ids.Pair)
