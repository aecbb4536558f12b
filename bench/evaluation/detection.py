"""Rates a method's pseudo labels by the true labels, which only the harness has."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..methods import Method

Detection = dict[str, float | int | list[float] | None]


class Rater:
    """Follows a method's pseudo labels and measures the quality of each new detection."""

    def __init__(self, method: Method, classes: Tensor):
        self.method, self.classes = method, classes.cpu().numpy()
        self._before: np.ndarray | None = None
        self._detections = 0

    def before_detection(self) -> None:
        """Keep the current pseudo labels for comparison; call this before the method may detect again."""
        view = self.method.pseudo_labels()
        if view is not None:
            self._detections = view.detections
            self._before = _array(view.clusters) if view.detections else None

    def rating(self) -> Detection | None:
        """The quality of the detection since `before_detection`; None where there was none."""
        view = self.method.pseudo_labels()
        if view is None or view.detections == self._detections:
            return None
        from .detection_quality import quality  # scikit-learn takes a second to import

        found = quality(_array(view.clusters), _array(view.labels), self._before, self.classes)
        return {"detection": view.detections, **found}


def _array(labels: Tensor) -> np.ndarray:
    return labels.detach().to("cpu", torch.int64, copy=True).numpy()
