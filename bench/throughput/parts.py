"""The training loop as a whole and in parts: what the input costs."""

from __future__ import annotations

import torch

from ..training.trainer import Trainer


class Parts:
    """The training loop of ``trainer``, whole and in parts; each method runs ``steps`` batches and returns the images."""

    def __init__(self, trainer: Trainer, steps: int):
        self.trainer, self.steps = trainer, steps
        self.batch = trainer.loader.batch
        self.ready = self.batch(0)

    def end_to_end(self) -> float:
        for _ in range(self.steps):
            self.trainer.train_step()
        return self._done()

    def model_only(self) -> float:
        self.trainer.loader.batch = lambda step: self.ready  # type: ignore[method-assign]
        try:
            return self.end_to_end()
        finally:
            self.trainer.loader.batch = self.batch  # type: ignore[method-assign]

    def input_only(self) -> float:
        for step in range(self.steps):
            self.batch(step)
        return self._done()

    def _done(self) -> float:
        if self.trainer.device.type == "cuda":
            torch.cuda.synchronize()
        return self.steps * self.trainer.training.batch_size
