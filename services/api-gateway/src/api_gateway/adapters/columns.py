"""The columns that the gateway reads of each table: one list for each model of `application.views`."""

EVENT = """
SELECT id, version, type, symbol, long_venue, short_venue, status, merged, observations, first_observed_at,
    last_observed_at, opened_at, closed_at, pnl_hat, win_prob, horizon_min, prediction_source, factors,
    last_observation
FROM watchlist.watch_signal_event
"""
OBSERVATION = """
SELECT id, type, symbol, long_venue, short_venue, observed_at, spread, triggered, refusal, event_id, observation
FROM watchlist.watch_observation
"""
SIGNAL = """
SELECT id, event_id, symbol, type, status, reason, long_venue, short_venue, mode, pnl_hat, win_prob, attempts,
    next_attempt_at, created_at, opened_at, closed_at, close_reason, finalised_at, take_profit_pnl, force_close_at,
    fees_usdt, funding_usdt, net_pnl_usdt
FROM watchlist.live_trade_signal
"""
# Materialised, so that the few active trades are always found by their own index and never along the history.
ACTIVE_SIGNALS_PAGE = """
WITH active AS MATERIALIZED (
    SELECT id, event_id, symbol, type, status, reason, long_venue, short_venue, mode, pnl_hat, win_prob, attempts,
        next_attempt_at, created_at, opened_at, closed_at, close_reason, finalised_at, take_profit_pnl,
        force_close_at, fees_usdt, funding_usdt, net_pnl_usdt
    FROM watchlist.live_trade_signal WHERE status IN ('opening', 'open', 'closing')
)
SELECT * FROM active WHERE id < $1 AND ($3::text IS NULL OR symbol = $3)
    AND ($4::text IS NULL OR $4 IN (long_venue, short_venue)) AND ($5::text IS NULL OR status = $5)
ORDER BY id DESC LIMIT $2
"""
SIGNAL_DETAIL = """
SELECT id, event_id, symbol, type, status, reason, long_venue, short_venue, mode, pnl_hat, win_prob, attempts,
    next_attempt_at, created_at, opened_at, closed_at, close_reason, finalised_at, take_profit_pnl, force_close_at,
    fees_usdt, funding_usdt, net_pnl_usdt, version, order_key, prediction_source, reason_evidence, updated_at,
    close_requested_at, close_evidence, spread_pnl_usdt, payload
FROM watchlist.live_trade_signal
"""
ENTRY = """
SELECT id, signal_id, entry, status, event_id, planned_quantity, quantity, notional_usdt,
    entry_spread_metric, entry_spread_pct, pnl_hat, win_prob, requested_at, filled_at, snapshot
FROM watchlist.live_trade_entry
"""
FILLED_ENTRY = """
SELECT signal_id, entry, notional_usdt, entry_spread_metric, entry_spread_pct, filled_at
FROM watchlist.live_trade_entry
"""
ORDER = """
SELECT id, signal_id, entry, leg, purpose, attempt, client_order_id, venue, venue_order_id, symbol, side, reduce_only,
    quantity, reference_price, status, filled_quantity, average_price, error, intended_at, resolved_at
FROM watchlist.live_trade_order
"""
FILL = """
SELECT id, signal_id, order_id, venue, symbol, fill_id, side, price, quantity, fee_usdt, traded_at
FROM watchlist.live_trade_fill
"""
FUNDING = """
SELECT id, signal_id, leg, venue, symbol, payment_id, amount_usdt, settled_at
FROM watchlist.live_trade_funding
"""
SAMPLE = """
SELECT id, signal_id, sampled_at, verdict, long_sell, short_buy, spread_now, exit_spread_pct, pnl_spread,
    position_pnl_usdt, total_pnl_usdt, pnl_complete, funding_per_hour, evidence
FROM watchlist.live_trade_spread_sample
"""
SAMPLE_FIGURES = """
SELECT signal_id, sampled_at, verdict, spread_now, exit_spread_pct, pnl_spread, total_pnl_usdt, pnl_complete
FROM watchlist.live_trade_spread_sample
"""
ERROR = """
SELECT id, service, occurred_at, kind, signal_id, message, detail
FROM watchlist.live_trade_error
"""
ERROR_LINE = """
SELECT id, service, occurred_at, kind, signal_id, message
FROM watchlist.live_trade_error
"""
AUDIT = """
SELECT id, service, decided_at, decision, symbol, event_id, signal_id, evidence
FROM watchlist.audit
"""
ALERT = """
SELECT id, key, kind, about, title, message, raised_at, state, attempts, delivered_to
FROM watchlist.alert
"""
COUNTERFACTUAL = """
SELECT id, signal_id, symbol, long_venue, short_venue, reason, skipped_at, status, complete, entered_at, until_at,
    quantity, long_buy, short_sell, take_profit_pnl, looks, missed_looks, looked_at, best_at, best_pnl_usdt, worst_at,
    worst_pnl_usdt, exit_at, exit_reason, exit_long_sell, exit_short_buy, exit_pnl_usdt
FROM watchlist.live_trade_counterfactual
"""
COUNTERFACTUAL_SUMMARY = """
SELECT reason, count(*) AS count, count(*) FILTER (WHERE complete) AS complete_count,
    avg((exit_pnl_usdt > 0)::int) FILTER (WHERE complete)::float AS won_share,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY exit_pnl_usdt) FILTER (WHERE complete) AS median_pnl_usdt
FROM watchlist.live_trade_counterfactual
WHERE status <> 'opened' AND ($1::timestamptz IS NULL OR skipped_at >= $1)
    AND ($2::timestamptz IS NULL OR skipped_at <= $2)
GROUP BY reason ORDER BY count DESC, reason
"""
