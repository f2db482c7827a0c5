"""The model that MLflow serves, stored as this source code.

MLflow keeps this file with the model, description.json and common/model.py, and runs it when the
model is loaded. No other module imports it, and it imports nothing of the project.
"""

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy.typing import NDArray


class InvalidInputError(MlflowException):
    """Wrong input. The server replies with this one line only, not with all the values."""

    def serialize_as_json(self) -> str:
        """Return the body of the reply."""
        return json.dumps({"error_code": self.error_code, "message": str(self)})


def to_table(value: Any) -> pd.DataFrame:
    """Return a table of rows, of columns, or of one row, in which MLflow has put arrays."""
    plain = to_plain(value)
    parts = plain.values() if isinstance(plain, dict) else [plain]
    return pd.DataFrame(plain if any(isinstance(part, list) for part in parts) else [plain])


def to_plain(value: Any) -> Any:
    """Return arrays, with axes or without, as lists and scalars."""
    if isinstance(value, np.ndarray):
        return to_plain(value.tolist())
    if isinstance(value, dict):
        return {name: to_plain(part) for name, part in value.items()}
    return [to_plain(part) for part in value] if isinstance(value, list) else value


class Classifier(PythonModel):
    """Classifies examples: the most probable class of each, and its probability."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the model, and the description of the examples."""
        self.description = json.loads(Path(context.artifacts["description"]).read_bytes())
        # Not an import, because other versions of the model and the project would share it.
        model = runpy.run_path(context.artifacts["code"])["Model"]
        self.model = model.load(Path(context.artifacts["model"]))
        code = runpy.run_path(context.artifacts["columns"])
        self.columns = [code["Column"](**column) for column in self.description.get("columns", [])]
        self.encode = code["encode"]

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: np.ndarray,  # MLflow warns about all other hints
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Return ``label``, ``class`` and ``probability`` of each example.

        A row of a table has the columns of the training data, in any order. Other examples have the
        shape of features or that before they were flattened, and are unscaled: the brightness of an
        image is in [0, 255].
        """
        features = self._encode(model_input) if self.columns else self._features(model_input)
        probabilities = self.model.probabilities(features)
        labels = probabilities.argmax(axis=1)
        names = np.array(self.description["classes"])[labels]
        return pd.DataFrame(
            {"label": labels, "class": names, "probability": probabilities.max(axis=1)}
        )

    def _encode(self, model_input: Any) -> NDArray[np.float32]:
        try:
            table = model_input if isinstance(model_input, pd.DataFrame) else to_table(model_input)
            features: NDArray[np.float32] = self.encode(self.columns, table)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidInputError.invalid_parameter_value(str(error)) from None
        return features

    def _features(self, model_input: Any) -> NDArray[Any]:
        shapes = [self.description["feature_shape"]]
        if self.description["example_shape"] not in shapes:
            shapes.append(self.description["example_shape"])
        dtype = np.dtype(self.description["feature_dtype"])
        invalid = InvalidInputError.invalid_parameter_value
        try:
            values = np.asarray(model_input)
        except ValueError:
            raise invalid("examples should all have the same shape") from None
        if values.ndim == 0 or list(values.shape[1:]) not in shapes:
            raise invalid(
                f"each example should have the shape {' or '.join(map(str, shapes))}, the input "
                f"has {list(values.shape)}"
            )
        if values.dtype.kind not in "iuf":
            raise invalid(f"values should be numbers, got {values.dtype}")
        with np.errstate(invalid="ignore", over="ignore"):
            features = values.astype(dtype)
        if dtype.kind in "iu":
            is_valid, limits = features == values, np.iinfo(dtype)
            expected = f"whole numbers from {limits.min} to {limits.max}"
        else:
            is_valid, expected = np.isfinite(features), "finite"
        if not is_valid.all():
            raise invalid(f"values should be {expected}, got {values[~is_valid][0]}")
        return features.reshape(-1, *shapes[0])


set_model(Classifier())
