"""Fixtures for every test; none of them starts anything before a test asks for it."""

pytest_plugins = ["support.embedded_stack"]
