"""The READMEs' tables of settings and the settings classes say the same: every name, and every default."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from api_gateway.domain.alerts import AlertKind
from api_gateway.settings import AlertSettings, GatewaySettings
from common.persistence.retention import RetentionSettings
from common.runtime.access import AccessSettings
from common.runtime.settings import KNOWN_VENUES, ServiceSettings, TradingSettings
from executor.settings import ExecutorSettings
from position_monitor.settings import MonitorSettings
from signal_ingest.settings import IngestSettings

ROOT = Path(__file__).resolve().parents[2]
OWN = {
    "README.md": (TradingSettings, ServiceSettings),
    "services/signal-ingest/README.md": (IngestSettings,),
    "services/executor/README.md": (ExecutorSettings,),
    "services/position-monitor/README.md": (MonitorSettings,),
    "services/api-gateway/README.md": (GatewaySettings, AlertSettings, AccessSettings),
    "deploy/database/README.md": (RetentionSettings,),
}
"""Whose settings stand where; what all services share stands in the first alone."""

IN_WORDS = {
    "six venues": ",".join(KNOWN_VENUES),
    "all": ",".join(kind for kind in AlertKind if kind != "test"),
    **dict.fromkeys(("empty", "none", "all shared ones", "each its own"), ""),
}
"""Defaults that a table says in words."""


def names_of(*kinds: type[BaseSettings]) -> set[str]:
    return {name.upper() for kind in kinds for name in kind.model_fields}


SHARED = names_of(ServiceSettings)


def default_of(name: str, kinds: tuple[type[BaseSettings], ...]) -> str:
    field = next(kind.model_fields[name.lower()] for kind in kinds if name.lower() in kind.model_fields)
    default = "" if field.is_required() else field.get_default(call_default_factory=True)
    match default:
        case bool():
            return str(int(default))
        case SecretStr():
            return default.get_secret_value()
        case Mapping():
            return ",".join(f"{key}={value}" for key, value in default.items())
        case tuple():
            return ",".join(map(str, default))
        case _:
            return str(default)


def rows(paper: str) -> Iterator[tuple[str, str]]:
    """Name and default of each setting in the paper's tables; names that begin with `_` are completed."""
    for line in (ROOT / paper).read_text().splitlines():
        match = re.match(r"\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \| ([^|]*)\|", line)
        if match is None or match[1].startswith(("`TANDEM_", "`BASE_", "`NATS_IMAGE", "`PIP_")):
            continue
        short = re.findall(r"`([A-Z_]+)`", match[1])
        names = [completed(short[0], name) for name in short]
        written = [part.strip().strip("`") for part in match[2].split(", ")]
        yield from zip(names, written * len(names) if len(written) == 1 else written, strict=True)


def completed(first: str, name: str) -> str:
    """`_MAX` after `WATCHLIST_TYPEB_FUNDING_MIN`: the setting that shares the longest beginning with the first."""
    if not name.startswith("_"):
        return name
    known = [full for full in names_of(*(kind for kinds in OWN.values() for kind in kinds)) if full.endswith(name)]
    beginnings = [first[:end] for end in range(len(first), 0, -1)]
    return next(beginning + name for beginning in beginnings if beginning + name in known)


def is_same(written: str, default: str) -> bool:
    words = re.sub(r" \(.*\)$|:.*$", "", written)
    for text in (written, words):
        said = IN_WORDS.get(text, text)
        if said == default:
            return True
        try:
            if Decimal(said) == Decimal(default):
                return True
        except InvalidOperation:
            continue
    return False


@pytest.mark.parametrize("paper", OWN)
def test_every_setting_has_its_row_with_its_default(paper: str) -> None:
    kinds = OWN[paper]
    wanted = names_of(*kinds) if paper == "README.md" else names_of(*kinds) - SHARED
    listed = dict(rows(paper))
    assert wanted - set(listed) == set()
    assert set(listed) - wanted <= SHARED & names_of(*kinds)
    wrong = {name: (said, default_of(name, kinds)) for name, said in listed.items()}
    assert {name: both for name, both in wrong.items() if not is_same(*both)} == {}
