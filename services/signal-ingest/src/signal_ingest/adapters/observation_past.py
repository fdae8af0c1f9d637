"""The pairs' past spreads, read from the stored observations."""

from collections.abc import Collection
from datetime import datetime

from common.persistence.database import Pool
from signal_ingest.domain.prediction.history import OBSERVATIONS_MAX, PairHistory, PairName

# The newest observations of both directions of each pair; each direction is one range of the pair's index.
_PAST = """
SELECT p.symbol, p.first_venue, p.second_venue, o.long_venue, o.observed_at, o.spread
FROM unnest($1::text[], $2::text[], $3::text[]) AS p (symbol, first_venue, second_venue)
CROSS JOIN LATERAL (
    SELECT recent.* FROM (
        (SELECT id, long_venue, observed_at, spread FROM watchlist.watch_observation
         WHERE symbol = p.symbol AND long_venue = p.first_venue AND short_venue = p.second_venue
           AND type = 'B' AND observed_at >= $4 ORDER BY observed_at DESC LIMIT $5)
        UNION ALL
        (SELECT id, long_venue, observed_at, spread FROM watchlist.watch_observation
         WHERE symbol = p.symbol AND long_venue = p.second_venue AND short_venue = p.first_venue
           AND type = 'B' AND observed_at >= $4 ORDER BY observed_at DESC LIMIT $5)
    ) AS recent ORDER BY recent.observed_at DESC, recent.id DESC LIMIT $5
) AS o
ORDER BY o.observed_at, o.id
"""


class PostgresObservationPast:
    """`ObservationPast` over asyncpg."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def load(self, names: Collection[PairName], since: datetime) -> list[PairHistory]:
        histories = {name: PairHistory(name) for name in names}
        columns = [list(column) for column in zip(*histories, strict=True)]
        for row in await self._pool.fetch(_PAST, *columns, since, OBSERVATIONS_MAX):
            name = PairName(row["symbol"], row["first_venue"], row["second_venue"])
            histories[name].add(row["observed_at"], row["long_venue"], row["spread"])
        return list(histories.values())
