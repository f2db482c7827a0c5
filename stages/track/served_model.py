"""The model that MLflow serves, written down as this very code.

MLflow keeps this file beside the weights, description.json and common/model.py, and runs it when
the model is loaded. No other module imports it, and it imports nothing of the project.
"""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from numpy.typing import NDArray
from scipy.special import softmax


class InvalidInputError(MlflowException):
    """Wrong input. The server replies with its one line, not with all values before it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, error_code=INVALID_PARAMETER_VALUE)

    def serialize_as_json(self) -> str:
        """Return the body of the reply."""
        return json.dumps({"error_code": self.error_code, "message": str(self)})


class Classifier(PythonModel):
    """Classifies examples: the most probable label of each, and its probability."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights, the description of the examples, and the forward pass."""
        with np.load(context.artifacts["weights"], allow_pickle=False) as archive:
            self.weights = dict(archive)
        self.description = json.loads(Path(context.artifacts["description"]).read_bytes())
        self.code = _load_module(Path(context.artifacts["code"]))

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: np.ndarray,  # MLflow warns of all other hints
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Return ``label`` and ``probability`` of each example.

        Parameters
        ----------
        context, params
            Not used.
        model_input : array_like, shape (n, *feature_shape) or (n, *example_shape)
            Unscaled, as in the splits: images have brightness in [0, 255].
        """
        features = self._features(model_input)
        probabilities = softmax(self.code.logits(self.weights, features), axis=1)
        return pd.DataFrame(
            {"label": probabilities.argmax(axis=1), "probability": probabilities.max(axis=1)}
        )

    def _features(self, model_input: Any) -> NDArray[Any]:
        shape = tuple(self.description["feature_shape"])
        example_shape = tuple(self.description["example_shape"])
        dtype = np.dtype(self.description["feature_dtype"])
        try:
            values = np.asarray(model_input)
        except ValueError:
            raise InvalidInputError("examples should all have the same shape") from None
        if values.ndim == 0 or values.shape[1:] not in (shape, example_shape):
            raise InvalidInputError(
                f"examples should have the shape (n, {_text(shape)}) or (n, "
                f"{_text(example_shape)}), got ({_text(values.shape)})"
            )
        if values.dtype.kind not in "iuf":
            raise InvalidInputError(f"values should be numbers, got {values.dtype}")
        if dtype.kind in "iu":
            limits = np.iinfo(dtype)
            wrong = (values < limits.min) | (values > limits.max) | (values != np.floor(values))
            if wrong.any():
                raise InvalidInputError(
                    f"values should be whole numbers from {limits.min} to {limits.max}, got "
                    f"{values[wrong][0]}"
                )
        return values.reshape(-1, *shape).astype(dtype)


def _text(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def _load_module(path: Path) -> ModuleType:
    """Import a file under a name that only the same content has.

    So neither another version of the model nor the project's own package is in its way.
    """
    name = f"model_{hashlib.sha256(path.read_bytes()).hexdigest()}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = sys.modules[name] = module_from_spec(spec)  # pydantic looks for it there
    spec.loader.exec_module(module)
    return module


set_model(Classifier())
