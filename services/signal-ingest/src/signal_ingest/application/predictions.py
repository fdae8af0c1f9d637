"""The prediction of an event: the sender's own figures win, a built-in model fills in what they leave out.

Only the newest triggered observation of a pair is predicted, because an event carries the prediction of its newest
observation. Each one sees the history as it was before it, whether it came alone or in a batch.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from signal_ingest.application.ports import ObservationPast
from signal_ingest.domain.observation import Observation, PairKey
from signal_ingest.domain.prediction.history import WINDOW, PairHistory, PairName, name_of
from signal_ingest.domain.prediction.linear import LinearModel, linear_forecast
from signal_ingest.domain.prediction.reversion import Forecast, reversion_forecast, round_trip_fees
from signal_ingest.domain.trigger import JudgedObservation
from signal_ingest.domain.watchlist_event import EventPrediction


@dataclass(frozen=True, slots=True)
class TakerFees:
    """Taker fees as fractions of notional: `by_venue`, and `otherwise` for a venue that is not in it."""

    by_venue: Mapping[str, float]
    otherwise: float

    def round_trip(self, observation: Observation) -> float:
        """What opening and closing both legs costs."""
        long, short = observation.long.venue, observation.short.venue
        return round_trip_fees(self.by_venue.get(long, self.otherwise), self.by_venue.get(short, self.otherwise))


class Predictor:
    """Predicts with `linear` where a model is given, with `reversion` otherwise."""

    def __init__(
        self, past: ObservationPast, fees: TakerFees, horizon_minutes: float, linear: LinearModel | None
    ) -> None:
        self._past = past
        self._fees = fees
        self._horizon_minutes = horizon_minutes
        self._linear = linear
        self._histories: dict[PairName, PairHistory] = {}
        self._loading = asyncio.Lock()

    async def predict(
        self, batch: Sequence[JudgedObservation], now: datetime, *, merged: bool
    ) -> dict[int, EventPrediction]:
        """Predictions by index of the observation; takes the batch into the histories on the way.

        Raises:
            OSError, asyncpg errors: the database is away; then no history has changed.
        """
        wanted = newest_triggered(batch) if merged else {i for i, judged in enumerate(batch) if judged.triggered}
        if self._linear is None:
            await self._load({name_of(batch[index].observation) for index in wanted}, now)
        predictions = {}
        for index, judged in enumerate(batch):
            observation = judged.observation
            if index in wanted and (prediction := self._prediction(observation)) is not None:
                predictions[index] = prediction
            if observation.type == "B":
                self._remember(observation)
        return predictions

    def forget(self, batch: Iterable[JudgedObservation]) -> None:
        """A batch was not stored after all: its pairs' histories are read again when next needed."""
        for judged in batch:
            self._histories.pop(name_of(judged.observation), None)

    def forget_all(self) -> None:
        """Every history is read again when next needed."""
        self._histories.clear()

    async def _load(self, names: set[PairName], now: datetime) -> None:
        """All of them are there together afterwards: one may be forgotten while another is read."""
        if names <= self._histories.keys():
            return
        async with self._loading:
            while missing := names - self._histories.keys():
                loaded = await self._past.load(missing, now - WINDOW)
                self._histories |= {history.name: history for history in loaded}

    def _remember(self, observation: Observation) -> None:
        history = self._histories.get(name_of(observation))
        if history is not None:
            history.add(observation.observed_at, observation.long.venue, observation.spread)

    def _prediction(self, observation: Observation) -> EventPrediction | None:
        caller = observation.caller
        horizon = caller.horizon_min or self._horizon_minutes
        if caller.pnl_hat is not None and caller.win_prob is not None:
            return EventPrediction(caller.pnl_hat, caller.win_prob, horizon, "caller")
        model, forecast = self._forecast(observation)
        if forecast is None:
            return None
        if caller.pnl_hat is None and caller.win_prob is None:
            return EventPrediction(*forecast, horizon, model)
        pnl_hat = forecast.pnl_hat if caller.pnl_hat is None else caller.pnl_hat
        win_prob = forecast.win_prob if caller.win_prob is None else caller.win_prob
        return EventPrediction(pnl_hat, win_prob, horizon, f"caller+{model}")

    def _forecast(self, observation: Observation) -> tuple[str, Forecast | None]:
        fees = self._fees.round_trip(observation)
        if self._linear is not None:
            factors = {**observation.factors, "spread": observation.spread}
            return "linear", linear_forecast(self._linear, factors, fees)
        history = self._histories[name_of(observation)]
        history.forget_before((observation.observed_at - WINDOW).timestamp())
        return "reversion", reversion_forecast(history, observation.long.venue, observation.spread, fees)


def newest_triggered(batch: Sequence[JudgedObservation]) -> set[int]:
    """The index of each pair's newest triggered observation; of two at the same time, the later one."""
    newest: dict[PairKey, int] = {}
    for index, judged in enumerate(batch):
        if judged.triggered:
            key = judged.observation.key
            known = newest.get(key)
            if known is None or judged.observation.observed_at >= batch[known].observation.observed_at:
                newest[key] = index
    return set(newest.values())
