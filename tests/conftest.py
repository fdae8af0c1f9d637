"""Fixtures for every test; none of them starts anything before a test asks for it."""

from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = ["support.embedded_stack"]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A service that ran inside of the test's process does not decide what later tests can see in the log."""
    yield
    structlog.reset_defaults()
