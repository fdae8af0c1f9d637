"""`payload.scale_in` of SPEC 7: every entry with what it was opened on, and what would come next."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from executor.domain.records import Entry
from executor.domain.scale_in_payload import ScaleInSettings, scale_in_payload
from support.recorded_trade import ENTRY, OPENED_AT

SETTINGS = ScaleInSettings(enabled=True, max_entries=4, trigger_mult=1.5)
FIRST = replace(
    ENTRY,
    quantity=Decimal("0.2"),
    notional_usdt=Decimal("38.396"),
    entry_spread_pct=0.0123,
    pnl_hat=0.0101,
    win_prob=0.998,
    snapshot={"execution": {"levels": 1}, "confirmation": [1, 2]},
)
SECOND = replace(
    FIRST,
    id=2,
    entry=3,
    event_id=12,
    entry_spread_pct=0.0183,
    filled_at=OPENED_AT + timedelta(minutes=5),
    snapshot={"execution": {}, "confirmation": [], "evidence": {"event_id": 12}},
)


def test_one_entry_has_no_scale_in_behind_it_and_its_trigger_before_it() -> None:
    payload = scale_in_payload([FIRST], SETTINGS)
    assert (payload["entries_count"], payload["last_scale_in_at"], payload["used_evidence"]) == (1, None, [])
    assert payload["entry_spread_pct_first"] == 0.0123
    assert payload["next_trigger_spread_pct"] == pytest.approx(0.0123 * 1.5)


def test_a_second_entry_moves_the_trigger_but_not_what_it_is_measured_from() -> None:
    payload = scale_in_payload([FIRST, SECOND], SETTINGS)
    assert payload["entry_spread_pct_first"] == 0.0123
    assert payload["next_trigger_spread_pct"] == pytest.approx(0.0123 * 1.5**2)
    assert payload["last_scale_in_at"] == (OPENED_AT + timedelta(minutes=5)).isoformat()
    assert payload["used_evidence"] == [{"event_id": 12}]


def test_an_entry_is_counted_by_its_rank_and_keeps_its_own_number() -> None:
    entries = scale_in_payload([FIRST, SECOND], SETTINGS)["entries"]
    assert [(entry["k"], entry["entry"], entry["event_id"]) for entry in entries] == [(1, 1, 11), (2, 3, 12)]
    assert (entries[0]["quantity"], entries[0]["notional"]) == ("0.2", "38.396")
    assert entries[0]["prediction"] == {"pnl_hat": 0.0101, "win_prob": 0.998}
    assert (entries[0]["execution"], entries[0]["confirmation"]) == ({"levels": 1}, [1, 2])


@pytest.mark.parametrize("entries", [[], [replace(FIRST, entry_spread_pct=None)]])
def test_without_a_filled_entry_there_is_no_state(entries: list[Entry]) -> None:
    with pytest.raises(ValueError, match="without a filled entry"):
        scale_in_payload(entries, SETTINGS)
