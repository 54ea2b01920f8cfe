"""Random streams: every number depends on (seed, target, estimator, passes, replicate) and on nothing else."""

import hashlib

import numpy as np

from estimators.arguments import check_count

__all__ = ["root_seed", "skip", "stream", "twins"]


def root_seed(rng: np.random.Generator | np.random.SeedSequence | int) -> np.random.SeedSequence:
    """Return the seed from which all streams of one call derive.

    A generator is advanced by it, so a second call with the same generator is independent of the first.
    """
    if isinstance(rng, np.random.SeedSequence):
        return rng
    if isinstance(rng, np.random.Generator):
        return np.random.SeedSequence(rng.integers(0, 2**32, size=4, dtype=np.uint32).tolist())
    check_count("seed", rng, least=0)
    return np.random.SeedSequence(rng)


def stream(root: np.random.SeedSequence, *keys: str) -> np.random.Generator:
    """Return the generator of ``root`` and the given keys; a plan spawns one child per replicate from it."""
    digest = hashlib.sha256("\0".join(keys).encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, *words)))


def skip(rng: np.random.Generator, replicates: int) -> np.random.Generator:
    """Return ``rng`` after the children of that many replicates: a plan from it continues where theirs stopped."""
    seed = rng.bit_generator.seed_seq
    assert isinstance(seed, np.random.SeedSequence)
    seed.spawn(replicates)
    return rng


def twins(rng: np.random.Generator) -> tuple[np.random.Generator, np.random.Generator]:
    """Return two generators in the same state, fresh from ``rng``: common random numbers."""
    seed = rng.spawn(1)[0].bit_generator.seed_seq
    assert isinstance(seed, np.random.SeedSequence)
    first, second = (
        np.random.default_rng(np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key)) for _ in range(2)
    )
    return first, second
