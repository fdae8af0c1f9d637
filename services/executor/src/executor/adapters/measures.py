"""What the executor counts for Prometheus. Names and labels as in `common.runtime.metrics`."""

from prometheus_client import Counter, Gauge, Histogram

from common.runtime.metrics import FAST_SECONDS

SENT, HEDGED = "sent", "hedged"

OPENING_SECONDS = Histogram(
    "tandem_opening_seconds",
    "From the commit of what asked for an entry to both legs handed to their venues (sent), and to the entry stored as "
    "hedged; confirmation waits are included",
    ["request", "until"],
    buckets=FAST_SECONDS,
)
LEG_SKEW_SECONDS = Histogram(
    "tandem_leg_skew_seconds",
    "Between the moments at which the two legs of a pair were handed to their venues",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5),
)
ORDER_SECONDS = Histogram(
    "tandem_order_seconds", "From an order's sending to the venue's answer", ["venue"], buckets=FAST_SECONDS
)
ORDERS = Counter("tandem_orders_total", "Outcomes stored of orders", ["venue", "purpose", "outcome"])
ENTRIES = Counter("tandem_entries_total", "Entries that came to rest", ["outcome"])
SKIPPED = Counter("tandem_signals_skipped_total", "Attempts that opened nothing, by the rule that failed", ["reason"])
SCALE_INS_REFUSED = Counter("tandem_scale_ins_refused_total", "Requests that added no entry", ["reason"])
CLOSES = Counter("tandem_closes_total", "Trades that began to close", ["reason"])
RECOVERY_SECONDS = Histogram(
    "tandem_recovery_seconds",
    "How long the recovery's rounds saw a trade unfinished",
    buckets=(0.25, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900),
)
ALARMS = Counter("tandem_alarms_total", "What somebody has to know, each time that it was found", ["kind"])

TRADES = Gauge("tandem_trades", "Trades that are not over", ["status"])
LEFT_ALONE_TRADES = Gauge(
    "tandem_left_alone_trades", "Trades that are not over, on a venue that this executor does not know"
)
NOTIONAL_USDT = Gauge("tandem_notional_usdt", "What Tandem holds on a venue, both directions added up", ["venue"])
ONE_LEGGED_SECONDS = Gauge(
    "tandem_one_legged_seconds", "How long the worst trade has had legs that do not match, real seconds; 0 without one"
)
UNRESOLVED_SECONDS = Gauge("tandem_unresolved_order_oldest_seconds", "Age of the oldest order without a final outcome")
CLOSING_SECONDS = Gauge("tandem_closing_oldest_seconds", "How long ago the oldest close that is not done began")
UNFINALISED_SECONDS = Gauge("tandem_unfinalised_oldest_seconds", "How long ago the oldest trade not summed up closed")
TRADING_STATE = Gauge("tandem_trading_state", "1 for the state that trading is in", ["state"])
DAY_NET_PNL_USDT = Gauge(
    "tandem_day_net_pnl_usdt",
    "Net P&L of the trades finalised within a day, and what others have realised: of open ones the day's losses only",
)
DAILY_LOSS_LIMIT_USDT = Gauge("tandem_daily_loss_limit_usdt", "The loss within a day that stops opening; 0: no limit")
UNWOUND_ENTRIES = Gauge("tandem_unwound_entries_last_hour", "Entries unwound within an hour")
