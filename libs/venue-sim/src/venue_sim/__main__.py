"""`python -m venue_sim --venue NAME --scenario FILE --port PORT`: one simulated venue, on the loopback interface.

The account's keys come from VENUE_<NAME>_API_KEY and _API_SECRET (OKX: and _API_PASSPHRASE), which may stand in files
of the folder SECRETS_DIR, market time from CLOCK_EPOCH, CLOCK_SPEED and CLOCK_STARTED_FILE (the machine's time without
them). What is wrong with any of it is said on stderr, with exit code 2.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.runtime.clock import clock_from_environment
from common.runtime.secret_files import with_secret_files
from venue_sim.dialects import has_passphrase, open_venue
from venue_sim.dialects.wire import Credentials
from venue_sim.scenario import VenueScenario, load_scenario
from venue_sim.server import HOST, build_app, build_server


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Serves until it is told to stop; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        scenario = _venue_scenario(options.scenario, options.venue)
        given = with_secret_files(environment)
        credentials = _credentials(options.venue, has_passphrase(scenario.protocol), given)
        clock = clock_from_environment(environment)
    except ValueError as error:
        print(f"venue_sim: {error}", file=sys.stderr)
        return 2
    venue, dialect = open_venue(options.venue, scenario, clock, credentials)
    build_server(build_app(venue, dialect), options.port, options.host).run()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="venue_sim", description="A simulated venue.")
    parser.add_argument("--venue", required=True, help="a venue of the scenario")
    parser.add_argument("--scenario", required=True, type=Path, help="the scenario file (TOML)")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--host", default=HOST, help="where it listens; 0.0.0.0 in a container")
    return parser


def _venue_scenario(file: Path, venue: str) -> VenueScenario:
    venues = load_scenario(file).venues
    if venue not in venues:
        raise ValueError(f"--venue {venue}: {file} has {', '.join(venues)}")
    return venues[venue]


def _credentials(venue: str, with_passphrase: bool, environment: Mapping[str, str]) -> Credentials:
    parts = ("KEY", "SECRET", "PASSPHRASE") if with_passphrase else ("KEY", "SECRET")
    names = [f"VENUE_{venue.upper()}_API_{part}" for part in parts]
    for name in names:
        if not environment.get(name):
            raise ValueError(f"{name} is empty: it must hold a part of the account's keys")
    return Credentials(*(environment[name] for name in names))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], os.environ))
