"""The linear model's file: JSON with `intercept`, `coefficients` by factor name, and `residual_std`."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from common.runtime.problems import field_errors
from common.runtime.settings import SettingsError
from signal_ingest.domain.prediction.linear import LinearModel


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    intercept: FiniteFloat
    coefficients: dict[Annotated[str, Field(min_length=1)], FiniteFloat] = Field(min_length=1)
    residual_std: Annotated[FiniteFloat, Field(gt=0)]


def read_linear_model(path: str) -> LinearModel:
    """Reads and validates the file.

    Raises:
        SettingsError: there is no such file, or what in it is wrong.
    """
    try:
        content = _File.model_validate_json(Path(path).read_bytes())
    except OSError as error:
        raise SettingsError(f"PREDICTION_LINEAR_FILE={path!r}: {error.strerror}") from None
    except ValidationError as error:
        wrong = "; ".join(f"{item['field'] or 'the file'}: {item['allowed']}" for item in field_errors(error.errors()))
        raise SettingsError(f"PREDICTION_LINEAR_FILE={path!r}: {wrong}") from None
    return LinearModel(content.intercept, content.coefficients, content.residual_std)
