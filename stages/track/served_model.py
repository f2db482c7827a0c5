"""The model that MLflow serves: NumPy alone, written down as this very code.

MLflow keeps this file beside the weights and runs it when the model is loaded, so nothing has to
be unpickled. It is the one module that is never imported by another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from common import model as inference


class Classifier(PythonModel):
    """Answers images, a row of pixels each, with the label and its probability."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the weights."""
        with np.load(context.artifacts["weights"], allow_pickle=False) as archive:
            self.weights = dict(archive)

    def predict(
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: np.ndarray,  # uint8 (n, pixels); MLflow understands no more of a hint
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> pd.DataFrame:
        """Give ``label`` and ``probability`` of each image; images are uint8 (n, pixels)."""
        odds = inference.probabilities(inference.logits(self.weights, model_input))
        return pd.DataFrame({"label": odds.argmax(axis=1), "probability": odds.max(axis=1)})


set_model(Classifier())
