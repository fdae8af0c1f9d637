"""What a database is for. Paper and live records never share one: a sum over both would be a lie."""

from common.persistence.database import Pool
from common.runtime.clock import Clock
from common.runtime.settings import SettingsError

_BEGIN = "INSERT INTO watchlist.installation (id, mode, begun_at) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING"
_MODE = "SELECT mode FROM watchlist.installation WHERE id = 1"


async def claim_database(pool: Pool, mode: str, clock: Clock) -> None:
    """The first executor of a database says what it is for; all later ones are held to it.

    Raises:
        SettingsError: the database is of the other mode.
    """
    await pool.execute(_BEGIN, mode, clock.now())
    found = await pool.fetchval(_MODE)
    if found != mode:
        raise SettingsError(
            f"LIVE_TRADING_MODE={mode!r}: this database holds {found} trading, and the two never mix; "
            f"allowed is {found!r}, or a DATABASE_URL of an own, empty database"
        )
