"""What a method is: a module with a loss over views, knowing no trainer, device, logger or label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Generic, Literal, NamedTuple, Self, TypeVar, get_args

import torch
from torch import Tensor, nn

from ..datasets.policy import Policy, View
from .spaces import Choice as Choice
from .spaces import Linear as Linear
from .spaces import Log as Log


class Bounds(NamedTuple):
    """The numbers that a setting admits: ``low`` to ``high``, with ``low`` itself unless ``above``."""

    low: float
    high: float = float("inf")
    above: bool = False

    def admit(self, value: float) -> bool:
        return (self.low < value if self.above else self.low <= value) and value <= self.high

    def __str__(self) -> str:
        low = f"{'above' if self.above else 'at least'} {self.low:g}"
        return low if self.high == float("inf") else f"{low} and at most {self.high:g}"


class Units(Bounds):
    """Of the width of a layer, which `check` narrows to be quick."""


Positive = Annotated[float, Bounds(0, above=True)]
NonNegative = Annotated[float, Bounds(0)]
Fraction = Annotated[float, Bounds(0, 1)]
Count = Annotated[int, Bounds(1)]
Number = Annotated[int, Bounds(0)]  # 0: none
Width = Annotated[int, Units(1)]
AUTO: Any = None  # default of a setting that `Config.resolved` chooses; its type is what it is then
LARGE = 64  # pixels a side from which ImageNet's recipes hold instead of CIFAR's
Counts = Annotated[tuple[int, ...], Bounds(2)]
Embed = Callable[[nn.Module], Tensor]


class Every(str):
    """How often something recurs: a share of the budget such as ``0.02``, or whole epochs such as ``2ep``.

    It is the text itself, so that a recipe shows what was written. Raises ValueError on any other text.
    """

    meaning = "a share of the budget from 0 to 1, or whole epochs such as 2ep"

    def __new__(cls, text: str) -> Self:
        text = text.strip()
        made = super().__new__(cls, text if text.endswith("ep") else f"{float(text):g}")
        if made.epochs < 1 if made.endswith("ep") else not 0 <= made.share <= 1:
            raise ValueError(f"{text!r} is not {cls.meaning}")
        return made

    @property
    def epochs(self) -> int:
        """Whole epochs, or 0 where it is a share of the budget."""
        return int(self.removesuffix("ep")) if self.endswith("ep") else 0

    @property
    def share(self) -> float:
        """Share of the budget, or 0 where it is in epochs."""
        return 0.0 if self.endswith("ep") else float(self)


Role = Literal["contestant", "oracle", "anchor"]
Needs = Literal["any", "tokens"]


@dataclass(frozen=True)
class Config:
    """Settings of a method; every field can be set from outside, and is checked against its bounds."""

    def resolved(self, images: int, side: int) -> Self:
        """These settings with those filled in that depend on the number of train images and their side in pixels.

        Raises ValueError, for the user to read, where a setting does not fit that number.
        """
        return self


C = TypeVar("C", bound=Config)


def chosen(config: C, **values: Any) -> C:
    """``config`` with those of its settings that are AUTO replaced by ``values``."""
    return replace(config, **{key: value for key, value in values.items() if getattr(config, key) is None})


class TrainData(NamedTuple):
    """What a method may know of the data: the number of train images and, if it ``uses_labels``, their labels.

    A label is -1 where it is held back: the held-out part of train chooses the strength of the linear evaluation.
    """

    images: int
    classes: int
    labels: Tensor | None = None  # int64 [N]


class Encoder(nn.Module):
    """A backbone without classifier: float [B, C, H, W] -> [B, num_features]."""

    num_features: int


class Group(NamedTuple):
    """Parameters that the optimizer is to treat in a way of their own.

    ``lr`` multiplies the recipe's learning rate, by a number or by a function of progress; 0 freezes them, gradient and
    momentum too. ``scheduled=False`` multiplies the recipe's peak instead: warm-up and cosine pass them by.
    """

    parameters: Sequence[nn.Parameter]
    lr: float | Callable[[float], float] = 1.0
    weight_decay: float | None = None  # None: the recipe's
    scheduled: bool = True

    def factor(self, progress: float) -> float:
        return self.lr(progress) if callable(self.lr) else self.lr


@dataclass(frozen=True)
class OwnRecipe:
    """Training settings of a method that cannot work under the track's, and where they are from."""

    source: str
    lr: float  # at a batch of 256; other batch sizes scale it linearly
    settings: Mapping[str, Any] = field(default_factory=dict)  # further fields of the recipe's training section


class Method(nn.Module, Generic[C]):
    """A contestant, ``class Name(Method[Config])``; all that must survive a resume is in ``state_dict()``.

    ``encoder`` is what is evaluated, a teacher perhaps. ``progress``, float scalar in [0, 1] on the device, is set by the
    trainer before each step: a schedule in the loss that reads it compiles.
    """

    name: ClassVar[str]  # a class without a name is not a contestant
    summary: ClassVar[str]  # one line for `list methods`, with its source
    role: ClassVar[Role] = "contestant"
    uses_labels: ClassVar[bool] = False
    trains: ClassVar[bool] = True
    baseline: ClassVar[bool] = False  # of one method: speed is measured with it where none is named
    needs: ClassVar[Needs] = "any"  # of a backbone: "tokens" asks for a vision transformer
    own_recipe: ClassVar[OwnRecipe | None] = None  # None: the track's, shared by all
    config_type: ClassVar[type[Config]] = Config  # what stands in Method[...]

    config: C
    encoder: nn.Module
    progress: Tensor

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in vars(cls).get("__orig_bases__", ()):
            cls.config_type = next((a for a in get_args(base) if isinstance(a, type)), cls.config_type)

    def __init__(self, encoder: Encoder, config: C, data: TrainData):
        super().__init__()
        self.encoder, self.config = encoder, config
        self.register_buffer("progress", torch.zeros(()), persistent=False)

    @classmethod
    def views(cls, config: C, policy: Policy, size: int) -> tuple[View, ...]:
        """What `loss` takes, on a track of this policy and input size; equal views are augmented together."""
        return (View(policy, size, 2),)

    def groups(self) -> list[Group]:
        """Parameters with a learning rate or a weight decay of their own; all others follow the recipe."""
        return []

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        """Scalar loss of the `views`, each float [B, C, H, W], of the train images ``index`` (int64 [B])."""
        raise NotImplementedError

    def after_step(self, progress: float) -> None:
        """Called after each optimizer step; ``progress`` in [0, 1] is the share of the budget spent."""

    def before_epoch(self, progress: float, embed: Embed) -> None:
        """Called before each epoch. ``embed(module)`` gives un-augmented train features, [N, D], in order."""

    def extras(self) -> dict[str, float]:
        """Scalars for the learning curve, read about once an epoch."""
        return {}

    def pseudo_labels(self) -> PseudoLabelView | None:
        """What the method believes of the train images now, for the harness to judge; None if it has no beliefs."""
        return None


class PseudoLabelView(NamedTuple):
    """Pseudo labels of S label sets, int64 [S, N] each: clusters, -1 for an image without one, and the trusted ones,
    -1 elsewhere."""

    clusters: Tensor
    labels: Tensor
    detections: int  # how often they have been made; changes with each new set
