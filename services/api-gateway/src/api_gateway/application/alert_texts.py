"""What happened in the words of an alert: short, with units, and where to look."""

from dataclasses import dataclass
from decimal import Decimal

from api_gateway.domain.alerts import Alert, AlertKind
from common.messages.contracts import TradeChanged

STATE_CHANGED = "trading_state_changed"
_SHORT = 300


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """What an alert says of a row of `live_trade_error`."""

    id: int
    service: str
    kind: str
    signal_id: int | None
    message: str


@dataclass(frozen=True, slots=True)
class UnwoundEntry:
    """A stray leg that is taken back: the first of the entry's orders that do it."""

    signal_id: int
    entry: int
    symbol: str
    venue: str
    side: str
    quantity: Decimal


def of_trade(news: TradeChanged) -> Alert | None:
    """The alert of a trade's new state; None where nobody need be told."""
    trade, look = f"{news.symbol} trade {news.signal_id}", f"See: tandem explain {news.signal_id}"
    key, about, detail = f"trade-{news.signal_id}-{news.version}", f"trade {news.signal_id}", news.detail
    match news.status, news.reason:
        case "open", "opened" | "scaled_in":
            entry = detail.get("entry")
            size = f"{_amount(detail.get('notional_usdt'))} USDT a leg at {_percent(detail.get('entry_spread_pct'))}"
            if news.reason == "opened":
                title, kind = f"{trade} opened: {size}", AlertKind.OPENED
            else:
                title, kind, about = (
                    f"{trade} scaled in, entry {entry}: {size}",
                    AlertKind.SCALED_IN,
                    f"{about}.{entry}",
                )
            trigger = _percent(detail.get("next_trigger_spread_pct"))
            return Alert(key, kind, about, title, f"{title}. The next entry would come at {trigger}. {look}")
        case "closing", "unhedged":
            title = f"{trade} is unhedged and being closed"
            text = f"{title}: one leg holds more than the other. {look}; runbook: TandemUnhedged"
            return Alert(key, AlertKind.UNHEDGED, about, title, text)
        case _, "finalised":
            title = f"{trade} earned {_signed(detail.get('net_pnl_usdt'))} USDT net"
            spread, funding = _signed(detail.get("spread_pnl_usdt")), _signed(detail.get("funding_usdt"))
            fees = _amount(detail.get("fees_usdt"))
            text = f"{title}: spread {spread}, funding {funding}, fees paid {fees} USDT. {look}"
            return Alert(key, AlertKind.FINALISED, about, title, text)
        case _, "account_corrected":
            before, after = _signed(detail.get("net_pnl_usdt_before")), _signed(detail.get("net_pnl_usdt"))
            title = f"{trade} earned {after} USDT net, not {before}: a venue told of funding late"
            return Alert(key, AlertKind.FINALISED, key, title, f"{title}. {look}")
        case "closed", reason:
            title = f"{trade} closed: {reason}"
            text = f"{title}. Both venues are flat; the P&L follows with the venues' fees. {look}"
            return Alert(key, AlertKind.CLOSED, about, title, text)
        case _, "entry_failed":
            title = f"{trade}: an entry failed"
            return Alert(key, AlertKind.ENTRY_FAILED, about, title, f"{title}; no position remains of it. {look}")
    return None


def of_error(row: ErrorRow) -> Alert:
    """The alert of what a service wrote down for somebody to know."""
    key = f"error-{row.id}"
    if row.kind == STATE_CHANGED:
        title = row.message[:1].upper() + row.message[1:_SHORT]
        return Alert(key, AlertKind.STATE_CHANGED, key, title, f"{title}. See: tandem status")
    whose = f" (trade {row.signal_id})" if row.signal_id else ""
    title = f"{row.service}: {row.message[:_SHORT]}{whose}"
    look = f"tandem explain {row.signal_id}" if row.signal_id else "tandem errors"
    return Alert(key, AlertKind.ALARM, f"{row.kind}{whose}", title, f"{title} [{row.kind}]. See: {look}")


def of_unwind(row: UnwoundEntry) -> Alert:
    """The alert of a leg that stands alone and is taken back."""
    title = f"{row.symbol} trade {row.signal_id}: a stray leg of entry {row.entry} is taken back"
    order = f"{row.side} {row.quantity.normalize():f} {row.symbol} at {row.venue}, reduce-only"
    text = f"{title} ({order}): the other leg did not fill. See: tandem explain {row.signal_id}"
    return Alert(f"unwound-{row.signal_id}-{row.entry}", AlertKind.UNWOUND, f"trade {row.signal_id}", title, text)


def of_ban(service: str, venue: str, until_seconds: float, now_seconds: float) -> Alert:
    """The alert of a venue that refuses everything a service asks."""
    title = f"{venue} bans {service} for another {until_seconds - now_seconds:.0f} s"
    text = f"{title}: nothing can be opened or closed there by it. See the runbook: TandemVenueBanned"
    key = f"venue_banned-{service}-{venue}-{until_seconds:.0f}"
    return Alert(key, AlertKind.VENUE_BANNED, f"{venue} bans {service}", title, text)


def _amount(value: object) -> str:
    return "unknown" if value is None else f"{Decimal(str(value)):.4f}"


def _signed(value: object) -> str:
    return "unknown" if value is None else f"{Decimal(str(value)):+.4f}"


def _percent(value: object) -> str:
    """A spread, which comes as a fraction."""
    return "unknown" if value is None else f"{Decimal(str(value)):.3%}"
