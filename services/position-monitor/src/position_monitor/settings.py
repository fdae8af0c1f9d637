"""position-monitor's own settings, and the trading rules turned into what its domain understands."""

from datetime import timedelta
from decimal import Decimal

from pydantic import Field

from common.runtime.settings import Flag, ServiceSettings, TradingSettings
from position_monitor.application.watch import WatchRules
from position_monitor.domain.counterfactual import CounterfactualRules
from position_monitor.domain.exits import ExitRules


class MonitorSettings(ServiceSettings):
    """Where the service listens, how often it asks for books (real seconds), and whether it follows them too."""

    own_prefixes = ("MONITOR_",)

    http_port: int = Field(4013, ge=1, le=65535)
    monitor_book_poll_sec: float = Field(1.0, gt=0, le=60)
    monitor_counterfactuals_max: int = Field(20, ge=0, le=200)
    monitor_counterfactual_horizon_h: float = Field(24, gt=0, le=24 * 30)
    monitor_counterfactual_taker_fee: Decimal = Field(Decimal("0.0006"), ge=0, lt=Decimal("0.05"))
    venue_streams: Flag = True


def exit_rules(trading: TradingSettings) -> ExitRules:
    """The rules of SPEC 6 as set."""
    return ExitRules(
        stop_loss_funding_per_hour=trading.live_trading_stop_loss_funding_per_hour_pct,
        stop_loss_total_share=trading.live_trading_stop_loss_total_pct,
        max_hold=timedelta(days=trading.live_trading_max_hold_days),
        next_entry_notional_usdt=trading.live_trading_per_leg_usdt,
        scale_in=trading.scale_in_rules,
    )


def counterfactual_rules(trading: TradingSettings, settings: MonitorSettings) -> CounterfactualRules:
    """How skipped signals are followed, as set."""
    return CounterfactualRules(
        exits=exit_rules(trading),
        per_leg_usdt=trading.live_trading_per_leg_usdt,
        taker_fee=settings.monitor_counterfactual_taker_fee,
        horizon=timedelta(hours=settings.monitor_counterfactual_horizon_h),
        book_age_seconds_max=trading.live_trading_max_book_age_sec,
    )


def watch_rules(trading: TradingSettings) -> WatchRules:
    """How trades are watched, as set."""
    return WatchRules(
        exits=exit_rules(trading),
        confirm_samples=trading.live_trading_ob_confirm_samples,
        confirm_sleep_seconds=trading.live_trading_ob_confirm_sleep_sec,
        book_age_seconds_max=trading.live_trading_max_book_age_sec,
        sample_every=timedelta(seconds=trading.live_trading_monitor_sec),
        close_again_after=timedelta(seconds=trading.live_trading_close_retry_cooldown_sec),
    )
