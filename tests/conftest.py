"""Fixtures for every test; none of them starts anything before a test asks for it."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

pytest_plugins = ["support.embedded_stack"]

# How long an example takes says something of the machine, nothing of the property; and each run has the same examples.
settings.register_profile("any-machine", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A service that ran inside of the test's process does not decide what later tests can see in the log."""
    yield
    structlog.reset_defaults()
