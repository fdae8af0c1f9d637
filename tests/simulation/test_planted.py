"""Each planted bug is found by its seed, which is sound without it."""

import pytest

from simulation.planted import PLANTED, plant
from simulation.run import run


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found_by_its_seed(name: str) -> None:
    seed = PLANTED[name].seed
    assert run(seed).violation is None
    with plant(name):
        assert run(seed).violation is not None
