"""The layout is part of the behaviour: import contracts, time, and what may not be written anywhere."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for part in ("libs", "services", "deploy/local/src") for path in sorted((ROOT / part).rglob("*.py"))]
DOMAIN = [path for path in SOURCES if "domain" in path.relative_to(ROOT).parts]


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--config", str(ROOT / "pyproject.toml")]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", DOMAIN, ids=name_of)
def test_the_domain_never_asks_what_time_it_is(path: Path) -> None:
    calls = {
        f"{node.func.value.id}.{node.func.attr}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    }
    assert not calls & {"datetime.now", "datetime.utcnow", "date.today", "time.time", "time.monotonic"}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_statement_takes_the_time_of_the_database(path: Path) -> None:
    constants = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    statements = [text.lower() for text in constants if isinstance(text, str) and "watchlist." in text]
    for statement in statements:
        for forbidden in ("now()", "current_timestamp", "localtimestamp", "clock_timestamp()"):
            assert forbidden not in statement


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_catches_everything(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = getattr(node.type, "id", None)
            assert node.type is not None, f"line {node.lineno}"
            assert caught not in {"Exception", "BaseException"}, f"line {node.lineno}"
