"""What happens while the market plays: the changes of each signal, as one sentence each."""

from collections.abc import Iterable
from decimal import Decimal

from local_stack.expectations import Outcome
from local_stack.trades import Signal


class MarketWatch:
    """Remembers every signal it was shown; newer pages may no longer have the old ones."""

    def __init__(self) -> None:
        self._signals: dict[int, Signal] = {}

    @property
    def outcome(self) -> Outcome:
        return Outcome(tuple(self._signals.values()))

    def take(self, signals: Iterable[Signal]) -> list[str]:
        """Takes the signals as they are now; answers what changed, oldest signal first."""
        lines: list[str] = []
        for signal in sorted(signals, key=lambda one: one.id):
            lines += changes(self._signals.get(signal.id), signal)
            self._signals[signal.id] = signal
        return lines

    def summary(self) -> str:
        """How many trades are open and closed, for the status line."""
        active = sum(signal.is_active for signal in self._signals.values())
        return f"{active} open, {len(self.outcome.closed)} closed, {len(self._signals)} signals"


def changes(before: Signal | None, after: Signal) -> list[str]:
    """Sentences that tell how a signal came from `before` to `after`; added entries are told by the chronicle."""
    told: list[str] = []
    if before is None or (before.status, before.reason) != (after.status, after.reason):
        told += _status_sentence(after)
    if after.finalised_at and not (before and before.finalised_at):
        told.append(_settlement_sentence(after))
    return told


def _status_sentence(signal: Signal) -> list[str]:
    reason = f": {signal.reason}" if signal.reason else ""
    if signal.status == "open":
        gap = signal.entry_spread_pct_first
        return [f"{signal.symbol} opened: {signal.direction}" + (f", {gap:.2%}" if gap is not None else "")]
    if signal.status in ("closing", "closed"):
        return [f"{signal.symbol} {signal.status}: {signal.close_reason or signal.reason}"]
    if signal.status == "new":
        return [f"{signal.symbol} signal: {signal.direction}"]
    return [f"{signal.symbol} {signal.status}{reason}"]


def _settlement_sentence(signal: Signal) -> str:
    money = ((signal.fees_usdt, "fees"), (signal.funding_usdt, "funding"), (signal.net_pnl_usdt, "net P&L"))
    told = ", ".join(f"{name} {shown(amount)}" for amount, name in money)
    return f"{signal.symbol} settled: {told} USDT"


def shown(amount: Decimal | None) -> str:
    """An amount without an exponent and without trailing zeros; a question mark while it is unknown."""
    if amount is None:
        return "?"
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
