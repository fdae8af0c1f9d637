"""What the papers point at is there, and the table of the house names its rooms."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAPERS = [
    path
    for folder in ("", "deploy", "libs", "services")
    for path in ROOT.glob(f"{folder}/**/*.md" if folder else "*.md")
]
ROOMS = [
    path
    for folder in ("deploy", "libs", "tests")
    for path in (ROOT / folder).iterdir()
    if path.is_dir() and path.name[0] not in "._"
]


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: str(paper.relative_to(ROOT)))
def test_links_lead_somewhere(paper: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]+))?\)", paper.read_text())
    for name, anchor in links:
        target = paper.parent / name if name else paper
        assert target.exists(), name
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_the_architecture_names_every_room(room: Path) -> None:
    name = room.name if room.parent.name == "tests" else str(room.relative_to(ROOT))
    assert re.search(rf"`{re.escape(name)}[`/]", (ROOT / "ARCHITECTURE.md").read_text())
