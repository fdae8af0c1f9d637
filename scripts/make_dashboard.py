"""Writes the Grafana dashboard; takes no arguments. A test says when the file is not what this makes."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PLACE = Path(__file__).parents[1] / "deploy" / "observability" / "grafana" / "tandem.json"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS, PANELS_A_ROW, PANEL_HEIGHT = 24, 3, 8


@dataclass(frozen=True)
class Panel:
    """One graph: its queries with their legends, the unit of its axis, and the value that it should stay below."""

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    limit: float | None = None
    description: str = ""


def quantiles(histogram: str, by: str = "", where: str = "") -> list[tuple[str, str]]:
    """p50 and p99 of a histogram."""
    labels = f"le, {by}" if by else "le"
    legend = f" {{{{{by}}}}}" if by else ""
    rate = f"sum by ({labels}) (rate({histogram}_bucket{where}[$__rate_interval]))"
    return [(f"histogram_quantile({q}, {rate})", f"p{round(q * 100)}{legend}") for q in (0.5, 0.99)]


def increases(counter: str, by: str, where: str = "") -> list[tuple[str, str]]:
    """How often something was counted within the interval of the graph, by a label."""
    return [(f"sum by ({by}) (increase({counter}{where}[$__rate_interval]))", f"{{{{{by}}}}}")]


OPENED = '{request="watchlist.event.opened", until="sent"}'

ROWS: Sequence[tuple[str, Sequence[Panel]]] = (
    (
        "Exposure",
        (
            Panel("Trades", [("max by (status) (tandem_trades)", "{{status}}")]),
            Panel("Notional on each venue", [("max by (venue) (tandem_notional_usdt)", "{{venue}}")], "currencyUSD"),
            Panel(
                "One-legged seconds",
                [("max(tandem_one_legged_seconds)", "worst trade")],
                "s",
                limit=15,
                description="How long legs have not matched. TandemUnhedged fires at the line.",
            ),
            Panel(
                "P&L",
                [
                    ("max(tandem_open_pnl_usdt)", "open trades, if closed now"),
                    ("max(tandem_day_net_pnl_usdt)", "made within a day, of open trades only what is lost"),
                    ("-max(tandem_daily_loss_limit_usdt)", "limit of a day's loss"),
                ],
                "currencyUSD",
            ),
            Panel("Trading state", [("max by (state) (tandem_trading_state)", "{{state}}")]),
            Panel(
                "Funding cost per hour",
                [
                    ("max(tandem_funding_cost_per_hour_max)", "worst trade"),
                    ("max(tandem_funding_stop_per_hour)", "hard stop"),
                ],
                "percentunit",
            ),
        ),
    ),
    (
        "Latencies against the budget",
        (
            Panel("Observation posted to accepted", quantiles("tandem_observation_accept_seconds"), "s"),
            Panel(
                "Observation accepted to both legs sent",
                quantiles("tandem_opening_seconds", where=OPENED),
                "s",
                limit=0.025,
                description="The budget, p50 8 ms and p99 25 ms, is without the waits between confirming samples.",
            ),
            Panel("Leg skew", quantiles("tandem_leg_skew_seconds"), "s", limit=0.001),
            Panel("Book change to exit decision", quantiles("tandem_exit_decision_seconds"), "s", limit=0.01),
            Panel("Unfinished trades until at rest", quantiles("tandem_recovery_seconds"), "s", limit=2),
            Panel("Orders until answered", quantiles("tandem_order_seconds", "venue"), "s"),
        ),
    ),
    (
        "Decisions",
        (
            Panel("Signals skipped", increases("tandem_signals_skipped_total", "reason")),
            Panel("Order outcomes", increases("tandem_orders_total", "outcome")),
            Panel("Unwinds", increases("tandem_orders_total", "venue", '{purpose="unwind"}')),
            Panel("Scale-ins refused", increases("tandem_scale_ins_refused_total", "reason")),
            Panel("Trades that began to close", increases("tandem_closes_total", "reason")),
            Panel("Alarms and drifts", increases("tandem_alarms_total", "kind")),
            Panel("Observations", increases("tandem_observations_total", "outcome")),
            Panel("Verdicts on open trades", increases("tandem_verdicts_total", "verdict")),
            Panel("Signals tried again", increases("tandem_signal_retries_total", "outcome")),
        ),
    ),
    (
        "Venues",
        (
            Panel(
                "Bans, seconds left",
                [
                    (
                        "clamp_min(max by (venue, service) (tandem_venue_banned_until_timestamp_seconds) - time(), 0)",
                        "{{venue}} {{service}}",
                    )
                ],
                "s",
            ),
            Panel("Requests", increases("tandem_venue_request_seconds_count", "venue, outcome")),
            Panel("Time to answer", quantiles("tandem_venue_request_seconds", "venue"), "s"),
            Panel("Clock offset", [("max by (venue) (tandem_venue_clock_offset_seconds)", "{{venue}}")], "s"),
            Panel("Age of the books judged on", quantiles("tandem_book_age_seconds", "venue"), "s", limit=2),
            Panel("Trades without an exit price", [("max(tandem_unpriced_trades)", "trades")]),
            Panel("Venues that tell of our orders", [("min by (venue) (tandem_order_stream_up)", "{{venue}}")]),
        ),
    ),
    (
        "Plumbing",
        (
            Panel(
                "Dependencies", [("min by (service, dependency) (tandem_dependency_up)", "{{service}} {{dependency}}")]
            ),
            Panel(
                "Oldest unpublished message",
                [("max by (service) (tandem_outbox_oldest_seconds)", "{{service}}")],
                "s",
                10,
            ),
            Panel(
                "Consumer lag",
                [
                    ("max by (consumer) (tandem_consumer_waiting_messages)", "{{consumer}} waiting"),
                    ("max by (consumer) (tandem_consumer_unanswered_messages)", "{{consumer}} in hand"),
                ],
            ),
            Panel("Messages", increases("tandem_messages_total", "consumer, outcome", '{outcome!="handled"}')),
            Panel("Loops that failed", increases("tandem_loop_failures_total", "service, loop")),
            Panel("HTTP", quantiles("tandem_http_request_seconds", "service"), "s"),
        ),
    ),
)


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana provisions it; which Prometheus it asks is a variable."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, of_row in ROWS:
        place = {"h": 1, "w": COLUMNS, "x": 0, "y": top}
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": place})
        top += 1
        for number, panel in enumerate(of_row):
            row, column = divmod(number, PANELS_A_ROW)
            width = COLUMNS // PANELS_A_ROW
            place = {"h": PANEL_HEIGHT, "w": width, "x": column * width, "y": top + row * PANEL_HEIGHT}
            panels.append(_graph(panel, place))
        top += -(-len(of_row) // PANELS_A_ROW) * PANEL_HEIGHT
    return {
        "uid": "tandem",
        "title": "Tandem",
        "tags": ["tandem"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, start=1)],
    }


def _graph(panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.limit is not None:
        steps.append({"color": "red", "value": panel.limit})
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.description,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "thresholds": {"mode": "absolute", "steps": steps},
                "custom": {"thresholdsStyle": {"mode": "off" if panel.limit is None else "dashed"}},
            },
            "overrides": [],
        },
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": expression, "legendFormat": legend, "datasource": DATASOURCE}
            for number, (expression, legend) in enumerate(panel.queries)
        ],
    }


def main() -> None:
    """Writes the file."""
    PLACE.write_text(json.dumps(dashboard(), indent=1) + "\n")


if __name__ == "__main__":
    main()
