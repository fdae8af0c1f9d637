"""What callers may write for a time and for an id."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from common.runtime.inputs import ID_MAX, RowId, Time

TIME, ROW_ID = TypeAdapter(Time), TypeAdapter(RowId)


@pytest.mark.parametrize(
    "text", ["2025-10-10T21:55:00Z", "2025-10-10t21:55:00z", "2025-10-10 23:55:00+02:00", "2025-10-10T21:55:00.000Z"]
)
def test_a_time_is_written_out_with_its_offset(text: str) -> None:
    assert TIME.validate_python(text).astimezone(UTC) == datetime(2025, 10, 10, 21, 55, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["0.5", "1760130000", 1760130000, "2025-10-10", "2025-10-10T21:55:00", "now", "", None]
)
def test_a_number_is_no_time_and_neither_is_one_without_an_offset(value: object) -> None:
    with pytest.raises(ValidationError):
        TIME.validate_python(value)


@pytest.mark.parametrize(("text", "id_"), [("1", 1), ("7.0", 7), ("1e3", 1000), (str(ID_MAX), ID_MAX)])
def test_an_id_is_a_whole_number_of_json(text: str, id_: int) -> None:
    assert ROW_ID.validate_json(text) == id_


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "true", '"1"', "null", str(ID_MAX + 1)])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        ROW_ID.validate_json(text)
