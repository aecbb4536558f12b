"""DINO (Caron et al. 2021, arXiv 2104.14294): a student's outputs follow a momentum teacher's, centred and sharpened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch
from lightly.models.modules.heads import ProjectionHead
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from . import base
from .base import Encoder, Fraction, Group, Log, Method, Number, Policy, Positive, TrainData, View, Width
from .parts.crops import multi_crop
from .parts.momentum import follow, rising, target_of
from .parts.single import single


@dataclass(frozen=True)
class Config(base.Config):
    hidden: Width = 2048  # the authors' code
    bottleneck: Width = 256  # the authors' code
    outputs: Width = 2048  # lightly's CIFAR-10 benchmark; the authors: 65,536
    temperature: Positive = 0.1  # of the student; the authors' code
    teacher_temperature: Annotated[Positive, Log(0.02, 0.1)] = 0.04  # the authors' code
    teacher_start: Positive = 0.04  # where the teacher's temperature begins; the authors' code
    teacher_warmup: Fraction = 0.1  # share of the budget in which it reaches teacher_temperature; the authors: 30 of 300 epochs
    center_momentum: Fraction = 0.9  # the authors' code
    momentum: Fraction = 0.99  # of the teacher at the start, 1 at the end; lightly's for CIFAR. The authors: 0.996
    frozen: Fraction = 0.01  # share of the budget with a fixed last layer: the first of 100 epochs, the authors' code
    local_crops: Number = 0  # small views in addition to the two, for the student alone; the authors: 8


class DinoHead(nn.Module):
    """Three layers, L2 normalisation, and a last linear layer whose rows have norm 1: float [n, in] -> [n, outputs].

    As lightly's head with BatchNorm (for a ResNet), without its weight-norm modules, which can be neither copied nor compiled.
    """

    def __init__(self, width: int, hidden: int, bottleneck: int, outputs: int):
        super().__init__()
        layers = [(width, hidden, nn.BatchNorm1d(hidden), nn.GELU()), (hidden, hidden, nn.BatchNorm1d(hidden), nn.GELU())]
        self.layers = ProjectionHead([*layers, (hidden, bottleneck, None, None)])
        self.last = nn.Linear(bottleneck, outputs, bias=False)
        for module in self.layers.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, features: Tensor) -> Tensor:
        return linear(normalize(self.layers(features), dim=1), normalize(self.last.weight, dim=1))


class Dino(Method[Config]):
    name = "dino"
    summary = "DINO: self-distillation from a momentum teacher, which is evaluated (Caron et al. 2021)"

    center: Tensor

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(target_of(encoder), config, data)
        self.student = encoder
        self.head = DinoHead(encoder.num_features, config.hidden, config.bottleneck, config.outputs)
        self.teacher_head = target_of(self.head)
        self.register_buffer("center", torch.zeros(config.outputs))
        self.latest: Tensor | None = None  # the teacher's mean output of the last batch, until the centre moves towards it

    @classmethod
    def views(cls, config: Config, policy: Policy, size: int) -> tuple[View, ...]:
        return multi_crop(policy, size, config.local_crops)

    def groups(self) -> list[Group]:
        return [Group(list(self.head.last.parameters()), lambda progress: float(progress >= self.config.frozen))]

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        sizes = [views[:2], views[2:]] if views[2:] else [views]
        features = torch.cat([self.student(torch.cat(of_size)) for of_size in sizes])
        student = self.head(features)  # at once, as the authors: its BatchNorm sees the views of both sizes
        with torch.no_grad():
            teacher = self.teacher_head(self.encoder(torch.cat(views[:2]))).float()
        self.latest = teacher.mean(0)
        return single(self.distill, student.unflatten(0, (len(views), -1)), teacher.unflatten(0, (2, -1)))

    def distill(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Mean cross-entropy of teacher [2, B, K] and student [V, B, K] over all pairs of different views (eq. 3). Scalar."""
        c = self.config
        share = (self.progress / c.teacher_warmup).clamp(max=1) if c.teacher_warmup else 1.0
        sharpness = c.teacher_start + (c.teacher_temperature - c.teacher_start) * share
        targets = ((teacher - self.center) / sharpness).softmax(-1)
        terms = -torch.einsum("tbk,sbk->ts", targets, (student / c.temperature).log_softmax(-1)) / student.shape[1]
        return (terms.sum() - terms.diagonal().sum()) / (terms.numel() - 2)

    def after_step(self, progress: float) -> None:
        if self.latest is not None:
            self.center.lerp_(self.latest, 1 - self.config.center_momentum)
            self.latest = None
        momentum = rising(self.config.momentum, progress)
        follow([self.encoder, self.teacher_head], [self.student, self.head], momentum)
