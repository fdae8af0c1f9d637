"""What deploy/compose promises: confined containers, secrets where they belong, and live trading by choice alone."""

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from api_gateway.settings import AlertSettings
from common.persistence.logins import ROLE_OF_SERVICE, passwords_in
from common.runtime.access import AccessSettings, Role, read_access
from common.runtime.secret_files import with_secret_files
from common.runtime.settings import KNOWN_VENUES, SettingsError, is_address, load
from common.venues.addresses import VenueAddress, venue_addresses
from common.venues.credentials import credential_variables
from executor.settings import credentials
from support.compose_schema import COMPOSE_SCHEMA
from venue_sim.scenario import load_scenario

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "compose"
DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
FILES = {
    name: yaml.safe_load((FOLDER / f"{name}.yaml").read_text()) for name in ("compose", "compose.demo", "compose.live")
}
BASE, DEMO, LIVE = FILES.values()
OVERLAYS = {"alone": (BASE,), "demo": (BASE, DEMO), "live": (BASE, LIVE)}
SERVICES = ("signal-ingest", "executor", "position-monitor", "api-gateway")
PUBLISHED = {"api-gateway": "4002", "signal-ingest": "4011"}
SIMULATED = {"venue-binance", "venue-bybit"}
VENUE_KEYS = re.compile(r"^(venue|demo)_\w+_api_(key|secret|passphrase)$")
KEYS_OF_VENUE = {
    venue: [variable.lower() for variable in credential_variables(VenueAddress(venue, venue, None))]
    for venue in KNOWN_VENUES
}
YOURS = {"alert_urls", *itertools.chain.from_iterable(KEYS_OF_VENUE.values())}


def merged(files: tuple[dict[str, Any], ...]) -> dict[str, dict[str, Any]]:
    """The services as compose merges them: maps by key, `secrets` and `volumes` added, the rest replaced."""
    services: dict[str, dict[str, Any]] = {}
    for file in files:
        for name, service in file["services"].items():
            into = services.setdefault(name, {})
            for key, value in service.items():
                if key in ("environment", "depends_on"):
                    into[key] = {**into.get(key, {}), **value}
                elif key in ("secrets", "volumes"):
                    into[key] = [*into.get(key, []), *value]
                else:
                    into[key] = value
    return services


MERGED = {name: merged(files) for name, files in OVERLAYS.items()}
CONTAINERS = [(overlay, name) for overlay, services in MERGED.items() for name in services]


def sources(service: dict[str, Any]) -> set[str]:
    return {use if isinstance(use, str) else use["source"] for use in service.get("secrets", [])}


@pytest.mark.parametrize("file", FILES.values(), ids=FILES)
def test_a_file_uses_what_both_docker_compose_1_29_and_2_understand(file: dict[str, Any]) -> None:
    jsonschema.validate(file, COMPOSE_SCHEMA)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_docker_compose_takes_the_files(overlay: str, tmp_path: Path) -> None:
    if (program := shutil.which("docker-compose")) is None:
        pytest.skip("docker-compose is not installed: its own schema is not asked")
    names = ["compose.yaml"] + ([] if overlay == "alone" else [f"compose.{overlay}.yaml"])
    arguments = [part for name in names for part in ("--file", str(FOLDER / name))]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LIVE_TRADING_CONFIRM_LIVE": "yes"}
    outcome = subprocess.run(
        [program, *arguments, "config", "--quiet"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize(("overlay", "name"), CONTAINERS)
def test_every_container_is_confined_and_limited(overlay: str, name: str) -> None:
    service = MERGED[overlay][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True  # as process 1 nothing would end a service that has not set its handlers yet
    assert service["mem_limit"]
    assert service["cpus"]
    assert service["pids_limit"]
    assert service["restart"] == ("no" if name in ("migrations", "demo") else "unless-stopped")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_two_ports_are_published_on_loopback_unless_the_operator_says_otherwise(overlay: str) -> None:
    published = {name: service["ports"] for name, service in MERGED[overlay].items() if "ports" in service}
    assert published == {name: [f"${{TANDEM_BIND:-127.0.0.1}}:{port}:{port}"] for name, port in PUBLISHED.items()}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_database_and_bus_have_no_way_out_and_the_gateway_none_to_the_venues(overlay: str) -> None:
    services = MERGED[overlay]
    assert BASE["networks"]["backend"] == {"internal": True}
    for name in ("postgres", "nats", "migrations"):
        assert services[name]["networks"] == ["backend"]
    assert "venues" not in services["api-gateway"]["networks"]
    assert "operator" not in services["executor"]["networks"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_container_gets_its_own_secrets_and_the_executor_alone_the_keys(overlay: str) -> None:
    services = MERGED[overlay]
    for name in SERVICES:
        own = {f"{name.replace('-', '_')}_{what}" for what in ("database_url", "nats_url")}
        own |= {"access_tokens"} if name in PUBLISHED else set()
        own |= {"alert_urls"} if name == "api-gateway" else set()
        keys = {source for source in sources(services[name]) if VENUE_KEYS.match(source)}
        assert sources(services[name]) - keys == own
        assert bool(keys) == (name == "executor" and overlay != "alone")
    holders = {name for name, service in services.items() if any(VENUE_KEYS.match(one) for one in sources(service))}
    assert holders <= {"executor", *SIMULATED}
    declared = {name for file in OVERLAYS[overlay] for name in file["secrets"]}
    assert declared == set().union(*(sources(service) for service in services.values()))


@pytest.mark.parametrize(("overlay", "name"), CONTAINERS)
def test_the_environment_holds_no_secret(overlay: str, name: str) -> None:
    for variable, value in MERGED[overlay][name].get("environment", {}).items():
        assert not re.search(r"(PASSWORD|_KEY|_SECRET|DATABASE_URL|NATS_URL)$", variable), variable
        assert "@" not in value, variable


def test_the_base_leaves_the_trading_mode_alone_and_live_asks_the_operator() -> None:
    written = (FOLDER / "compose.yaml").read_text() + (FOLDER / "settings.env").read_text()
    assert not re.search(r"LIVE_TRADING_(MODE|CONFIRM_LIVE)", written)
    for name in SERVICES:
        environment = MERGED["live"][name]["environment"]
        assert environment["LIVE_TRADING_MODE"] == "live"
        assert environment["LIVE_TRADING_CONFIRM_LIVE"].startswith("${LIVE_TRADING_CONFIRM_LIVE:?")


@pytest.mark.parametrize("name", SERVICES)
def test_the_demo_plays_the_scenario_with_its_settings_on_its_venues(name: str) -> None:
    scenario = load_scenario(ROOT / "deploy/local/scenarios/oct-10-2025-sol.toml")
    environment = dict(DEMO["services"][name]["environment"])
    assert environment.pop("CLOCK_EPOCH") == scenario.clock.starts_at.isoformat()
    assert environment.pop("CLOCK_SPEED") == f"{scenario.clock.speed:g}"
    assert environment.pop("CLOCK_STARTED_FILE") == "/clock/started"
    for venue, its in scenario.venues.items():
        assert environment.pop(f"VENUE_{venue.upper()}_URL") == f"http://venue-{venue}:4020"
        assert environment.pop(f"VENUE_{venue.upper()}_PROTOCOL") == its.protocol
    assert environment == scenario.settings


@pytest.mark.parametrize(("overlay", "name"), CONTAINERS)
def test_what_a_container_needs_is_there_and_declared(overlay: str, name: str) -> None:
    files, services = OVERLAYS[overlay], MERGED[overlay]
    service = services[name]
    assert set(service.get("depends_on", {})) <= set(services)
    for network in service["networks"]:
        assert network in BASE["networks"]
    volumes = {volume for file in files for volume in file.get("volumes", {})}
    assert {use.split(":")[0] for use in service.get("volumes", [])} <= volumes
    if build := service.get("build"):
        assert re.search(rf"^FROM \S+ AS {re.escape(build['target'])}$", DOCKERFILE, re.MULTILINE)
        assert {f"ARG {argument}" in DOCKERFILE for argument in build["args"]} == {True}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_once_what_it_needs_is_healthy_and_migrated(name: str) -> None:
    waits = {other: need["condition"] for other, need in MERGED["alone"][name]["depends_on"].items()}
    healthy = "service_healthy"
    assert waits == {"postgres": healthy, "nats": healthy, "migrations": "service_completed_successfully"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    script = tmp_path_factory.mktemp("compose") / "make-secrets"
    shutil.copy(FOLDER / "make-secrets", script)
    subprocess.run([script], check=True, capture_output=True)
    return script


def test_make_secrets_makes_every_file_and_leaves_the_operators_own_to_be_filled(made: Path) -> None:
    folder = made.parent / "secrets"
    declared = {secret["file"] for file in FILES.values() for secret in file["secrets"].values()}
    files = {file.name: file for file in folder.iterdir()}
    assert set(files) == {Path(file).name for file in declared}
    assert folder.stat().st_mode & 0o077 == 0
    assert {name for name, file in files.items() if not file.stat().st_size} == YOURS
    assert {file.stat().st_mode & 0o777 for name, file in files.items() if name in YOURS} == {0o644}
    texts = [file.read_text() for name, file in files.items() if name not in YOURS | {"nats_users.conf"}]
    assert len(set(texts)) == len(texts)


def test_live_takes_the_keys_of_every_venue_for_the_executor() -> None:
    keys = {source for source in sources(MERGED["live"]["executor"]) if VENUE_KEYS.match(source)}
    assert keys == set(itertools.chain.from_iterable(KEYS_OF_VENUE.values()))


def test_keys_of_venues_that_are_not_traded_stay_empty_without_harm(made: Path, tmp_path: Path) -> None:
    for name in itertools.chain.from_iterable(KEYS_OF_VENUE.values()):
        shutil.copy(made.parent / "secrets" / name, tmp_path)
    for name in (*KEYS_OF_VENUE["okx"], *KEYS_OF_VENUE["gate"]):
        (tmp_path / name).write_text(f"{name} of mine\n")
    environment = with_secret_files({"SECRETS_DIR": str(tmp_path)})
    found = credentials(venue_addresses(("okx", "gate"), environment), environment)
    assert found["okx"].texts == tuple(f"{name} of mine" for name in KEYS_OF_VENUE["okx"])
    assert found["gate"].texts == (*(f"{name} of mine" for name in KEYS_OF_VENUE["gate"]), "")
    with pytest.raises(SettingsError, match=r"not set: VENUE_BITGET_API_KEY, .*_API_SECRET, .*_API_PASSPHRASE"):
        credentials(venue_addresses(("okx", "bitget"), environment), environment)


def test_without_addresses_of_the_operators_alerts_are_off(made: Path, tmp_path: Path) -> None:
    shutil.copy(made.parent / "secrets" / "alert_urls", tmp_path)
    assert load(AlertSettings, with_secret_files({"SECRETS_DIR": str(tmp_path)})).addresses == []


def test_the_made_addresses_fit_together(made: Path) -> None:
    folder = made.parent / "secrets"
    text = {file.name: file.read_text().strip() for file in folder.iterdir()}
    assert text["owner_database_url"] == f"postgresql://tandem:{text['postgres_password']}@postgres:5432/tandem"
    addresses = {f"{service.upper()}_DATABASE_URL": text[f"{service}_database_url"] for service in ROLE_OF_SERVICE}
    assert set(passwords_in(addresses)) == set(ROLE_OF_SERVICE.values())
    for service in ROLE_OF_SERVICE:
        address = text[f"{service}_nats_url"]
        assert is_address(address, ("nats",))
        password = address.removeprefix(f"nats://{service}:").removesuffix("@nats:4222")
        assert f'{{ user: "{service}", password: "{password}" }}' in text["nats_users.conf"]


def test_the_operators_token_opens_what_is_published(made: Path) -> None:
    folder = made.parent / "secrets"
    settings = load(AccessSettings, with_secret_files({"SECRETS_DIR": str(folder_of_gateway(folder))}))
    credential = read_access(settings, "0.0.0.0").find((folder / "operator_token").read_text())
    assert credential is not None
    assert credential.role is Role.OPERATE


def folder_of_gateway(folder: Path) -> Path:
    mounted = folder.parent / "gateway"
    mounted.mkdir()
    shutil.copy(folder / "access_tokens", mounted)
    return mounted


def test_secrets_that_exist_are_never_overwritten(made: Path) -> None:
    before = {file.name: file.read_text() for file in (made.parent / "secrets").iterdir()}
    outcome = subprocess.run([made], capture_output=True, text=True, check=False)
    assert outcome.returncode == 1
    assert "nothing was changed" in outcome.stderr
    assert {file.name: file.read_text() for file in (made.parent / "secrets").iterdir()} == before


def test_every_image_ends_as_nobody_and_the_context_has_no_secret() -> None:
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    users: dict[str, str | None] = {}
    for stage in stages:
        base, _, name = stage.split()[:3]
        own = re.findall(r"^USER (\S+)$", stage, re.MULTILINE)
        users[name] = own[-1] if own else users.get(base)
    targets = {
        service["build"]["target"]
        for services in MERGED.values()
        for service in services.values()
        if "build" in service
    }
    assert {users[target] for target in targets} == {"10001:10001"}
    allowed = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert not [path for path in allowed if "deploy/compose/secrets".startswith(path)]
