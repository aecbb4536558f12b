"""MAE (He et al. 2022, arXiv 2111.06377): reconstruct the pixels of masked patches. For a vision transformer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Self, cast

import torch
from lightly.models.utils import initialize_2d_sine_cosine_positional_embedding, patchify
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from . import base
from .base import Bounds, Count, Encoder, Linear, Method, OwnRecipe, Policy, TrainData, View, Width
from .parts.crops import crop_and_flip
from .parts.single import single

Masked = Annotated[float, Bounds(0.01, 0.99)]


@dataclass(frozen=True)
class Config(base.Config):
    masked: Annotated[Masked, Linear(0.5, 0.9)] = 0.75  # share of patches; section 4.1
    width: Width = 192  # of the decoder; heads have 64 dimensions where that divides it. Our choice; the authors, for ViT-L: 512
    depth: Count = 4  # of the decoder; our choice for vit_tiny. The authors: 8

    def resolved(self, images: int, side: int) -> Self:
        if self.width % 4:
            raise ValueError(f"width {self.width} is no multiple of 4, which sine-cosine positions need")
        return self


class Mae(Method[Config]):
    name = "mae"
    summary = "MAE: reconstruct masked patches; vision transformers only (He et al. 2022)"
    needs = "tokens"
    own_recipe = OwnRecipe(
        "He et al. 2022, table 8",
        lr=1.5e-4,
        settings={"optimizer": "adamw", "adam_beta2": 0.95, "weight_decay": 0.05, "decay_norms": False, "lr_warmup": 0.05},
    )

    encoder: VisionTransformer

    @classmethod
    def refusal(cls, encoder: Encoder) -> str:
        vit = cast(VisionTransformer, encoder)
        side, patch = vit.patch_embed.img_size[0], vit.patch_embed.patch_size[0]
        if side % patch == 0:
            return ""
        smaller = next(n for n in range(patch, 0, -1) if side % n == 0)
        whole = f"needs whole patches, and {side} pixels are no multiple of {patch}"
        return f"{whole}; try an input of {side - side % patch + patch} pixels, or patches of {smaller}"

    def __init__(self, encoder: Encoder, config: Config, data: TrainData):
        super().__init__(encoder, config, data)
        vit, width = self.encoder, config.width
        self.patch, channels = vit.patch_embed.patch_size[0], vit.patch_embed.proj.in_channels
        self.embed = nn.Linear(vit.embed_dim, width)
        self.mask_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        places = torch.zeros(1, vit.num_prefix_tokens + vit.patch_embed.num_patches, width)
        self.places = nn.Parameter(places, requires_grad=False)
        initialize_2d_sine_cosine_positional_embedding(self.places, vit.num_prefix_tokens)
        self.blocks = nn.Sequential(*[Block(width, 1 if width % 64 else width // 64, qkv_bias=True) for _ in range(config.depth)])
        self.predict = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, self.patch**2 * channels))

    @classmethod
    def views(cls, config: Config, policy: Policy, size: int) -> tuple[View, ...]:
        return crop_and_flip(policy, size)

    def loss(self, views: list[Tensor], index: Tensor) -> Tensor:
        (images,) = views
        patches = patchify(images, self.patch)
        order = torch.rand(patches.shape[:2], device=images.device).argsort(1)
        total = patches.shape[1]
        count = min(max(1, round(total * (1 - self.config.masked))), total - 1)
        kept, masked = order[:, :count], order[:, count:]
        predicted = self.decode(self.encode(images, kept), kept)
        return single(reconstruction, _rows(predicted, masked), _rows(patches, masked))

    def encode(self, images: Tensor, kept: Tensor) -> Tensor:
        """Encoder outputs of the prefix tokens and the ``kept`` patches int64 [B, n] alone: float [B, prefix + n, D]."""
        vit = self.encoder
        tokens = vit._pos_embed(vit.patch_embed(images))
        prefix = vit.num_prefix_tokens
        tokens = torch.cat([tokens[:, :prefix], _rows(tokens[:, prefix:], kept)], 1)
        return vit.norm(vit.blocks(vit.norm_pre(tokens)))

    def decode(self, tokens: Tensor, kept: Tensor) -> Tensor:
        """Predicted pixels of all patches, float [B, N, patch * patch * C]; the mask token stands for patches not ``kept``."""
        prefix, tokens = self.encoder.num_prefix_tokens, self.embed(tokens)
        empty = self.mask_token.to(tokens.dtype).expand(len(tokens), self.places.shape[1] - prefix, -1)
        whole = empty.scatter(1, kept[..., None].expand(-1, -1, tokens.shape[2]), tokens[:, prefix:])
        return self.predict(self.blocks(torch.cat([tokens[:, :prefix], whole], 1) + self.places)[:, prefix:])


def reconstruction(predicted: Tensor, pixels: Tensor) -> Tensor:
    """Mean squared error to ``pixels``, each patch standardised by its own mean and variance (section 4.1). Scalar."""
    variance, mean = torch.var_mean(pixels, -1, keepdim=True)
    return (predicted - (pixels - mean) / (variance + 1e-6).sqrt()).square().mean()


def _rows(x: Tensor, index: Tensor) -> Tensor:
    """Rows ``index`` int64 [B, n] of x [B, N, D], chosen per image: [B, n, D]."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))
