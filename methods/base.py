"""The base class of methods: a module with a loss over views, which uses no trainer, device or logger.

Also the types of its settings (`Config`, `Bounds`, `Every`), of its data (`TrainData`), and of what it declares to the trainer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, Generic, Literal, NamedTuple, Self, TypeVar, get_args

import torch
from torch import Tensor, nn

from ..datasets.policy import Policy, View
from . import declared
from .spaces import Choice as Choice
from .spaces import Linear as Linear
from .spaces import Log as Log


class Bounds(NamedTuple):
    """The numbers that a setting admits: from ``low`` to ``high``; ``above`` excludes ``low`` itself, ``below`` ``high``."""

    low: float
    high: float = float("inf")
    above: bool = False
    below: bool = False

    def admit(self, value: float) -> bool:
        return (self.low < value if self.above else self.low <= value) and (
            value < self.high if self.below else value <= self.high
        )

    def __str__(self) -> str:
        low = f"{'above' if self.above else 'at least'} {self.low:g}"
        return low if self.high == float("inf") else f"{low} and {'below' if self.below else 'at most'} {self.high:g}"


class Units(Bounds):
    """Bounds of the width of a layer, which `check` reduces to run faster."""


Positive = Annotated[float, Bounds(0, above=True)]
NonNegative = Annotated[float, Bounds(0)]
Fraction = Annotated[float, Bounds(0, 1)]
Decay = Annotated[float, Bounds(0, 1, below=True)]  # of a running mean that forgets
Count = Annotated[int, Bounds(1)]
Number = Annotated[int, Bounds(0)]  # 0: none
Width = Annotated[int, Units(1)]
AUTO: Any = None  # default of a setting whose value `Config.resolved` chooses; the annotation is the type of that value
LARGE = 64  # pixels a side; from here on AUTO settings of the queue methods are those of ImageNet, below those of CIFAR
Counts = Annotated[tuple[int, ...], Bounds(2)]
Embed = Callable[[nn.Module], Tensor]


class Every(str):
    """How often something recurs: a share of the budget such as ``0.02``, or whole epochs such as ``2ep``.

    A subclass of str, so that a recipe shows the text as it was written. Raises ValueError on any other text.
    """

    meaning = "a share of the budget from 0 to 1, or whole epochs such as 2ep"

    def __new__(cls, text: str) -> Self:
        text = text.strip()
        made = super().__new__(cls, f"{int(text[:-2])}ep" if text.endswith("ep") else f"{float(text) + 0.0:.12g}")  # -0 is 0
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
CHOICES = {"role": get_args(Role), "needs": get_args(Needs), "uses_labels": (True, False), "trains": (True, False)}


@dataclass(frozen=True)
class Config:
    """Settings of a method; every field can be set from outside, and is checked against its bounds."""

    def resolved(self, images: int, side: int) -> Self:
        """A copy with every AUTO setting filled in, from the number of train images and their side in pixels.

        Raises ValueError, with a message for the user, where a setting does not fit the number of images.
        """
        return self


C = TypeVar("C", bound=Config)


def chosen(config: C, **values: Any) -> C:
    """``config`` with its AUTO settings replaced by ``values``; settings that the user gave stay."""
    return replace(config, **{key: value for key, value in values.items() if getattr(config, key) is None})


class TrainData(NamedTuple):
    """What a method may know of the data: the number of train images and, if it ``uses_labels``, their labels.

    The label of an image in the held-out tenth of train is -1: that tenth chooses the strength of the linear evaluation.
    """

    images: int
    classes: int
    labels: Tensor | None = None  # int64 [N]


class Encoder(nn.Module):
    """A backbone without classifier: float [B, C, H, W] -> [B, num_features]."""

    num_features: int


class Group(NamedTuple):
    """Parameters with optimizer settings of their own.

    ``lr`` is a factor on the recipe's learning rate, a number or a function of progress; 0 freezes the parameters, and their
    gradient and momentum too. With ``scheduled=False`` the factor is on the recipe's peak: no warm-up and no cosine.
    """

    parameters: Sequence[nn.Parameter]
    lr: float | Callable[[float], float] = 1.0
    weight_decay: float | None = None  # None: the recipe's
    scheduled: bool = True

    def factor(self, progress: float) -> float:
        return self.lr(progress) if callable(self.lr) else self.lr


@dataclass(frozen=True)
class OwnRecipe:
    """Training settings of a method that cannot train with the track's, and their source."""

    source: str
    lr: float  # at a batch of 256; other batch sizes scale it linearly
    settings: Mapping[str, Any] = field(default_factory=dict)  # further fields of the recipe's training section


class Method(nn.Module, Generic[C]):
    """A method, ``class Name(Method[Config])``; all state that a resume needs is in ``state_dict()``.

    ``encoder`` is the network that is evaluated; it may be a teacher. The trainer sets ``progress``, a float scalar in [0, 1]
    on the device, before each step, so that a schedule in the loss can read it under compilation.
    """

    name: ClassVar[str]  # a class without a name is not registered as a method
    summary: ClassVar[str]  # one line for `list methods`, with its source
    role: ClassVar[Role] = "contestant"
    uses_labels: ClassVar[bool] = False
    trains: ClassVar[bool] = True
    baseline: ClassVar[bool] = False  # True for one method: the one that speed is measured with by default
    needs: ClassVar[Needs] = "any"  # which backbones it can train: "tokens" means vision transformers only
    own_recipe: ClassVar[OwnRecipe | None] = None  # None: the track's recipe, shared by all methods
    config_type: ClassVar[type[Config]] = Config  # the type parameter of Method[...]

    config: C
    encoder: nn.Module
    progress: Tensor

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in vars(cls).get("__orig_bases__", ()):
            cls.config_type = next((a for a in get_args(base) if isinstance(a, type)), cls.config_type)
        wrong = declared.problem(cls, CHOICES, ("name", "summary"))
        if isinstance(cls.config_type, type):  # a test may put a function in its place
            wrong = wrong or declared.problem_of_settings(cls.config_type, Config)
        if wrong:
            raise TypeError(f"{cls.__name__}: {wrong}")

    def __init__(self, encoder: Encoder, config: C, data: TrainData):
        super().__init__()
        if refusal := self.refusal(encoder):
            raise ValueError(f"{self.name} {refusal}")
        self.encoder, self.config = encoder, config
        self.register_buffer("progress", torch.zeros(()), persistent=False)

    @classmethod
    def refusal(cls, encoder: Encoder) -> str:
        """Why a backbone cannot be trained although it has what the method ``needs``, to follow its name; empty where it can."""
        return ""

    @classmethod
    def views(cls, config: C, policy: Policy, size: int) -> tuple[View, ...]:
        """The views that `loss` takes on a track of this policy and input size; equal views are augmented in one call."""
        return (View(policy, size, 2),)

    def groups(self) -> list[Group]:
        """Parameters with a learning rate or a weight decay of their own; all others follow the recipe."""
        return []

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        """Scalar loss of the `views`, each float [B, C, H, W], of the train images ``index`` (int64 [B]).

        A buffer that the gradient depends on is changed in `after_step`, not here: a compiled backward pass may read it again.
        """
        raise NotImplementedError

    def after_step(self, progress: float) -> None:
        """Called after each optimizer step; ``progress`` in [0, 1] is the share of the budget spent."""

    def before_epoch(self, progress: float, embed: Embed) -> None:
        """Called before each epoch. ``embed(module)`` returns features [N, D] of the un-augmented train images, in order."""

    def extras(self) -> dict[str, float]:
        """Scalars for the learning curve, read about once an epoch."""
        return {}

    def pseudo_labels(self) -> PseudoLabelView | None:
        """The current pseudo labels of the train images, which the harness rates; None for a method without them."""
        return None


class PseudoLabelView(NamedTuple):
    """Pseudo labels of N train images in S label sets."""

    clusters: Tensor  # int64 [S, N]; -1 for an image that is in no cluster
    labels: Tensor  # int64 [S, N]; the accepted pseudo labels, -1 elsewhere
    detections: int  # number of detections so far
