"""How much is fitted to how many passes: few passes determine few coefficients."""

from dataclasses import dataclass
from functools import lru_cache

from estimators.masked.regression.prior import Prior, make_prior

__all__ = ["GROUPS", "Settings", "settings_for"]

GROUPS = 8  # of passes; each has a factor
FEW, MANY = 24, 64  # passes


@dataclass(frozen=True, eq=False)
class Settings:
    """The prior, and how the passes are grouped to learn the factors.

    Attributes
    ----------
    prior : Prior
    pairs : tuple of (int, int)
        The pairs of groups that are held out together: how well one of them is predicted is learned without the other.
    """

    prior: Prior
    pairs: tuple[tuple[int, int], ...]

    def partners(self, group: int) -> list[tuple[int, int]]:
        """Return the pairs that a group belongs to: the number of the pair, and the other group."""
        return [(number, sum(pair) - group) for number, pair in enumerate(self.pairs) if group in pair]


def settings_for(passes: int) -> Settings:
    """Return the settings for a number of passes.

    Examples
    --------
    >>> len(settings_for(16).pairs), settings_for(128).pairs
    (28, ((0, 4), (1, 5), (2, 6), (3, 7)))
    """
    groups = min(GROUPS, passes)
    if passes <= FEW:
        return _settings(0.003, 0.003, groups, apart=(1, 2, 3, 4))
    if passes < MANY:
        return _settings(0.001, 0.0003, groups, apart=(1, 4))
    return _settings(0.0015, 0.0003, groups, apart=(4,))


@lru_cache(maxsize=16)
def _settings(shared_from: float, alone_from: float, groups: int, *, apart: tuple[int, ...]) -> Settings:
    # The groups in a circle, paired with those so far on.
    pairs = {tuple(sorted((group, (group + far) % GROUPS))) for far in apart for group in range(GROUPS)}
    present = sorted((first, second) for first, second in pairs if second < groups)
    return Settings(make_prior(shared_from, alone_from), tuple(present))
