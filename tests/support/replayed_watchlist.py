"""The watchlist of a replay: signal-ingest's own trigger, prediction and merge, with a dictionary for a database."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from common.runtime.settings import TradingSettings
from signal_ingest.application.predictions import Predictor, TakerFees
from signal_ingest.domain.merging import is_quiet, keys_touched, merge
from signal_ingest.domain.observation import Observation, PairKey
from signal_ingest.domain.pair_scan import VenueQuote, pair_observations
from signal_ingest.domain.prediction.history import PairHistory, PairName, name_of
from signal_ingest.domain.retry_eligibility import retry_eligibility
from signal_ingest.domain.trigger import judge
from signal_ingest.domain.watchlist_event import EventStatus, Step, WatchlistEvent, close
from signal_ingest.settings import merge_rules, trigger_rules


class _Past:
    """`ObservationPast`: everything that this replay has seen."""

    def __init__(self) -> None:
        self._seen: dict[PairName, list[Observation]] = defaultdict(list)

    def keep(self, observation: Observation) -> None:
        self._seen[name_of(observation)].append(observation)

    async def load(self, names: Collection[PairName], since: datetime) -> list[PairHistory]:
        histories = []
        for name in names:
            history = PairHistory(name)
            for seen in self._seen[name]:
                if seen.observed_at >= since:
                    history.add(seen.observed_at, seen.long.venue, seen.spread)
            histories.append(history)
        return histories


class ReplayedWatchlist:
    """Events as signal-ingest would keep them; `verdicts` counts what became of all observations."""

    def __init__(self, trading: TradingSettings, taker_fees: Mapping[str, float]) -> None:
        self._trigger_rules, self._merge_rules = trigger_rules(trading), merge_rules(trading)
        self._lookback_minutes = trading.live_trading_lookback_min
        self._past = _Past()
        fees = TakerFees(taker_fees, otherwise=0.0005)
        self._predictor = Predictor(self._past, fees, trading.live_trading_horizon_min, None)
        self._live: dict[PairKey, WatchlistEvent] = {}
        self._newest: dict[PairKey, WatchlistEvent] = {}
        self.events: dict[int, WatchlistEvent] = {}
        self.verdicts: Counter[str] = Counter()

    async def look(self, quotes: Mapping[str, Sequence[VenueQuote]], now: datetime) -> list[WatchlistEvent]:
        """Takes in one look at all pairs; returns the events that opened by it."""
        self._close_quiet(now)
        batch = [judge(seen, now, self._trigger_rules) for seen in pair_observations(quotes, now)]
        predictions = await self._predictor.predict(batch, now, merged=self._merge_rules.enabled)
        live = [self._live[key] for key in keys_touched(batch) if key in self._live]
        opened = []
        for change in merge(live, batch, predictions, self._merge_rules).changes:
            event = self._store(change.after)
            if change.opened:
                opened.append(event)
        for judged in batch:
            self._past.keep(judged.observation)
            self.verdicts[judged.refusal or "triggered"] += 1
        return opened

    def newest(self, symbol: str, long_venue: str, short_venue: str) -> WatchlistEvent | None:
        """The pair's newest event that was ever open."""
        return self._newest.get(PairKey(symbol, "B", long_venue, short_venue))

    def may_be_retried(self, event: WatchlistEvent, now: datetime) -> bool:
        """Whether a skipped signal of this event is still eligible."""
        return retry_eligibility(event, now, self._lookback_minutes).eligible

    def _close_quiet(self, now: datetime) -> None:
        for event in list(self._live.values()):
            if is_quiet(event, now, self._merge_rules.cooldown):
                self._store(close(event, Step.WENT_QUIET, now))

    def _store(self, event: WatchlistEvent) -> WatchlistEvent:
        if event.id is None:
            event = replace(event, id=len(self.events) + 1)
        assert event.id is not None
        self.events[event.id] = event
        if event.opened_at is not None:
            self._newest[event.key] = event
        if event.status is EventStatus.CLOSED or not event.merged:
            self._live.pop(event.key, None)
        else:
            self._live[event.key] = event
        return event
