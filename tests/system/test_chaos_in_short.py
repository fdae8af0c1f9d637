"""Two cases of `make chaos`: what is killed at its worst moment, on the real stack, and the books afterwards."""

from pathlib import Path

from chaos.campaign import Case, crash_case, play, trouble_case
from chaos.cases import Result
from chaos.points import EXECUTOR, NEWS, SEND, Point, Side, Stage
from chaos.troubles import killed

CASES: tuple[Case, ...] = (
    crash_case(Point(EXECUTOR, SEND, Side.SENT, Stage.OPENING)),
    trouble_case(killed("nats"), Point(EXECUTOR, NEWS, Side.BEFORE, Stage.OPENING)),
)


async def test_what_is_killed_at_its_worst_moment_leaves_books_that_agree(tmp_path: Path) -> None:
    told: list[Result] = []
    results = await play(tmp_path, CASES, told.append)
    assert {result.name: result.failures for result in results if result.failures} == {}
    # Each case, everything sent again, and the end of the house.
    assert len(told) == len(CASES) + 2
