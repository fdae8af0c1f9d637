"""The part of the Compose Specification that the files of deploy/compose use, as docker-compose 1.29 knows it.

Everything else is refused: what only one of docker-compose 1.29 and `docker compose` 2 understands (a top-level
`name`, `required` in depends_on, `start_interval`), and what is misspelt.
"""

from typing import Any

_NAME = r"^[a-zA-Z0-9._-]+$"
_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT, "uniqueItems": True}
_WORDS = {"type": "object", "patternProperties": {r"^[A-Za-z0-9_.-]+$": _TEXT}, "additionalProperties": False}


def _table(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _named(what: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "patternProperties": {_NAME: what}, "additionalProperties": False}


_BUILD = _table(
    {"context": _TEXT, "dockerfile": _TEXT, "network": _TEXT, "target": _TEXT, "args": _WORDS},
    "context",
    "dockerfile",
    "target",
)
_CONDITION = {"enum": ["service_healthy", "service_completed_successfully"]}
_SECRET_USE = {"oneOf": [_TEXT, _table({"source": _TEXT, "target": _TEXT}, "source", "target")]}
_DURATION = {"type": "string", "pattern": r"^\d+(s|m)$"}
_HEALTH = _table(
    {
        "test": {"type": "array", "items": _TEXT},
        "interval": _DURATION,
        "timeout": _DURATION,
        "retries": {"type": "integer"},
        "start_period": _DURATION,
        "disable": {"type": "boolean"},
    }
)
_SERVICE = _table(
    {
        "image": _TEXT,
        "build": _BUILD,
        "user": _TEXT,
        "init": {"type": "boolean"},
        "read_only": {"type": "boolean"},
        "cap_drop": _TEXTS,
        "security_opt": _TEXTS,
        "pids_limit": {"type": "integer"},
        "mem_limit": {"type": "string", "pattern": r"^\d+[mg]$"},
        "cpus": {"type": "number"},
        "shm_size": _TEXT,
        "restart": {"enum": ["no", "unless-stopped"]},
        "stop_signal": _TEXT,
        "stop_grace_period": _DURATION,
        "logging": _table({"driver": _TEXT, "options": _WORDS}),
        "tmpfs": _TEXTS,
        "env_file": _TEXT,
        "environment": _WORDS,
        "command": {"type": "array", "items": _TEXT},
        "entrypoint": {"type": "array", "items": _TEXT},
        "depends_on": _named(_table({"condition": _CONDITION}, "condition")),
        "secrets": {"type": "array", "items": _SECRET_USE},
        "volumes": _TEXTS,
        "networks": _TEXTS,
        "ports": _TEXTS,
        "healthcheck": _HEALTH,
    }
)
COMPOSE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "patternProperties": {r"^x-": {}},
    "properties": {
        "services": _named(_SERVICE),
        "networks": _named(_table({"internal": {"type": "boolean"}})),
        "volumes": _named(_table({"driver": _TEXT, "driver_opts": _WORDS})),
        "secrets": _named(_table({"file": _TEXT}, "file")),
    },
    "required": ["services"],
    "additionalProperties": False,
}
