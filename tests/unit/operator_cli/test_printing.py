"""Tables fit the terminal that they are shown on, and text of others never steers it."""

import pytest

from operator_cli.printing import Page, figure, usdt

HEADINGS = ("id", "symbol", "status")
ROWS = [("1", "SOL", "skipped: the spread that the books gave was below the threshold"), ("12", "LAYER", "open")]


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(columns))
    Page().table(HEADINGS, ROWS)
    return capsys.readouterr().out.splitlines()


def test_a_table_that_fits_is_aligned(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(capsys, monkeypatch, 100)
    assert [line.index("S") for line in lines[1:2]] == [lines[0].index("symbol")]
    assert len(lines) == 3


def test_the_last_column_wraps(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(capsys, monkeypatch, 45)
    assert max(map(len, lines)) <= 45
    assert " ".join(" ".join(lines).split()).count("threshold") == 1
    assert lines[0].split() == list(HEADINGS)


def test_where_columns_cannot_stand_each_row_is_a_list(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = printed(capsys, monkeypatch, 22)
    assert max(map(len, lines)) <= 22
    assert lines[:2] == ["id      1", "symbol  SOL"]


def test_nothing_shown_is_a_control_sequence_or_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Page().table(("at", "message"), [("1", "\x1b[2J\x9b31m [red]gone[/red] :bomb:")])
    Page().say("\x1b]0;title\x07 [bold]text[/bold]")
    out = capsys.readouterr().out
    assert not any(sign in out for sign in ("\x1b", "\x9b", "\x07"))
    assert "[red]gone[/red] :bomb:" in out
    assert "[bold]text[/bold]" in out


@pytest.mark.parametrize(
    ("text", "in_lists", "whole"),
    [
        (None, "-", "-"),
        ("0", "0.00", "0"),
        ("-0.00000000", "0.00", "0"),
        ("1200", "1200.00", "1200"),
        ("-0.00001", "0.00", "-0.00001"),
        ("6.900412345678", "6.90", "6.90041235"),
    ],
)
def test_amounts_are_rounded_and_zero_has_no_sign(text: str | None, in_lists: str, whole: str) -> None:
    assert (usdt(text), figure(text)) == (in_lists, whole)
