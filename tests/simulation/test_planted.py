"""Each planted bug is found by its seed, which is sound without it."""

from functools import cache

import pytest

from simulation.planted import PLANTED, plant
from simulation.run import run


@cache
def is_sound(seed: int) -> bool:
    return run(seed).violation is None


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found_by_its_seed(name: str) -> None:
    seed = PLANTED[name].seed
    assert is_sound(seed)
    with plant(name):
        assert run(seed).violation is not None
