"""A quiet screen shows warnings and whatever cannot be told apart from one."""

import pytest

from local_stack.screen import is_warning


@pytest.mark.parametrize(
    "line",
    [
        '{"level": "warning", "event": "book is stale"}',
        '{"level": "error", "event": "no"}',
        "[12] 2025/10/10 21:00:00.000000 [WRN] slow consumer",
        "FATAL:  the database system is starting up",
        "Traceback (most recent call last):",
        "{not json",
    ],
)
def test_a_warning_is_shown(line: str) -> None:
    assert is_warning(line)


@pytest.mark.parametrize(
    "line",
    [
        '{"level": "info", "event": "ready"}',
        "[12] 2025/10/10 21:00:00.000000 [INF] Server is ready",
        "LOG:  database system is ready to accept connections",
        "INFO:     Application startup complete.",
        "",
    ],
)
def test_news_is_kept_for_the_log(line: str) -> None:
    assert not is_warning(line)
