"""Transfer: kNN and linear evaluation of the frozen encoder on other datasets, at the input size that it was made for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from ..datasets.registry import open_splits
from ..datasets.spec import parse_spec, split_specs
from ..errors import UserError
from ..metrics import Metric
from .evaluator import Evaluator
from .frozen import Frozen, Scores
from .protocol import TOP1, both_top1

NOTE = "linear → x, kNN → x: the same frozen encoder on the train and test split of x. "


def key(metric: str, spec: str) -> str:
    """``linear_top1`` on digits: ``transfer_linear_top1@digits``."""
    return f"transfer_{metric}@{spec}"


class Transfer(Evaluator):
    """Top-1 of kNN and linear evaluation on each of ``specs``; images are made gray or colour as the encoder needs."""

    name = "transfer"
    version = 2
    by_default = False
    option = "--transfer-to"

    def __init__(self, specs: Sequence[str] = ()):
        self.specs = tuple(specs)
        self.columns = tuple(
            Metric(key(metric, spec), f"{title} → {spec}", note=NOTE) for spec in self.specs for metric, title in TOP1.items()
        )

    @classmethod
    def of(cls, text: str) -> Transfer:
        specs = [str(parse_spec(part)) for part in split_specs(text)]
        if not specs:
            raise UserError(f"cannot read --transfer-to {text!r}: write datasets with commas, such as digits,fashion_mnist")
        if sized := next((spec for spec in specs if parse_spec(spec).px is not None), None):
            raise UserError(
                f"--transfer-to {sized}: images have the input size that the encoder has on its own data; leave px out"
            )
        return cls(list(dict.fromkeys(specs)))

    def check(self, data_root: Path) -> None:
        for spec in self.specs:
            open_splits(parse_spec(spec), data_root)

    def evaluate(self, frozen: Frozen) -> Scores:
        metrics: dict[str, float] = {}
        chosen: dict[str, Any] = {}
        for spec in self.specs:
            there = frozen.elsewhere(spec)
            found = both_top1(there, there.test)
            metrics |= {key(metric, spec): value for metric, value in found.metrics.items()}
            chosen |= {key(name, spec): value for name, value in found.chosen.items()}
        return Scores(metrics, chosen)

    def missing(self, metrics: Collection[str]) -> Transfer | None:
        left = [spec for spec in self.specs if not all(key(metric, spec) in metrics for metric in TOP1)]
        return Transfer(left) if left else None
