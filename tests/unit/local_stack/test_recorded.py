"""What a scenario asks for is looked up by name in what the services recorded, however long ago it was."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from local_stack.recorded import Recorded, read_recorded
from venue_sim.scenario import Expectations

AUDIT = ["skipped:book_stale", "scaled_in"]
REFUSALS = ["funding_net_cost"]
SAMPLES = ["cooldown", "within_limits", "max_entries"]


async def gateway(path: str) -> dict[str, Any]:
    """Answers as the gateway does; samples come one a page."""
    url = urlsplit(path)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    match url.path:
        case "/api/audit":
            return {"items": [{}] if query["decision"] in AUDIT else [], "next": None}
        case "/api/live_trading/observations":
            return {"items": [{}] if query["refusal"] in REFUSALS else [], "next": None}
        case "/api/live_trading/samples":
            number = int(query.get("before", len(SAMPLES)))
            sample = {"verdict": "hold", "evidence": {"reason": SAMPLES[number - 1]}}
            return {"items": [sample], "next": number - 1 or None}
    raise AssertionError(path)


async def test_only_what_occurred_is_found() -> None:
    expected = Expectations(
        decisions=["scaled_in", "scale_in_refused:cooldown"],
        skipped_reasons=["book_stale", "book_crossed"],
        observations_refused=["funding_net_cost", "funding_unknown"],
    )
    found = await read_recorded(expected, [1], gateway)
    assert found == Recorded(
        decisions=frozenset({"scaled_in", "skipped:book_stale"}), observations_refused=frozenset({"funding_net_cost"})
    )
    assert found.skipped_reasons == {"book_stale"}


async def test_verdicts_are_read_from_every_page_of_samples() -> None:
    found = await read_recorded(Expectations(verdicts=["hold:cooldown"]), [1], gateway)
    assert found.verdicts == {"hold:cooldown", "hold:within_limits", "hold:max_entries"}


async def test_without_a_trade_there_are_no_verdicts() -> None:
    assert (await read_recorded(Expectations(verdicts=["hold:cooldown"]), [], gateway)).verdicts == frozenset()
