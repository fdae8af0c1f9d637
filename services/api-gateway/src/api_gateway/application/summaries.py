"""One signal in one line: its row, its entries added up, its latest valuation."""

from collections.abc import Sequence

from api_gateway.application.ports import SignalsRead
from api_gateway.application.views import Entry, SignalRow, SignalSummary
from api_gateway.domain.scale_in_outlook import FilledEntry, summarise_entries


def filled_entries(entries: Sequence[Entry]) -> list[FilledEntry]:
    """The entries that filled, in their order, as the formulas want them."""
    return [
        FilledEntry(
            entry.entry, entry.notional_usdt, entry.entry_spread_metric, entry.entry_spread_pct, entry.filled_at
        )
        for entry in sorted(entries, key=lambda entry: entry.entry)
        if entry.status == "filled"
        and entry.notional_usdt is not None
        and entry.entry_spread_metric is not None
        and entry.entry_spread_pct is not None
    ]


def summarise(read: SignalsRead) -> list[SignalSummary]:
    """The signals in their order, each with what belongs to it."""
    return [_summary(signal, read) for signal in read.signals]


def _summary(signal: SignalRow, read: SignalsRead) -> SignalSummary:
    added_up = summarise_entries(read.entries.get(signal.id, ()), signal.take_profit_pnl)
    return SignalSummary(
        **signal.model_dump(),
        entries_count=added_up.entries_count,
        entry_spread_pct_first=added_up.entry_spread_pct_first,
        entry_metric_weighted=added_up.entry_metric_weighted,
        tp_exit_spread_pct=added_up.tp_exit_spread_pct,
        pnl_complete=None if signal.opened_at is None else signal.net_pnl_usdt is not None,
        latest_sample=read.samples.get(signal.id),
    )
