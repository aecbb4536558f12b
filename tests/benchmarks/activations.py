"""Memory that the backward pass keeps of each view, with and without activation checkpointing.

    PYTHONPATH=. python tests/benchmarks/activations.py resnet18 64 resnet18 224 resnet50 224

Counted, not timed: the bytes of every tensor that autograd saves in a forward pass in bf16, each storage once; of
eight views less those of four, so that what does not grow with the batch is left out.
"""

import sys

import torch

from bench.backbone import build_backbone
from bench.training.activation_checkpointing import recompute


def kept(encoder: torch.nn.Module, side: int, views: int) -> int:
    """Bytes kept of so many views."""
    sizes: dict[int, int] = {}

    def save(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda x: x), torch.autocast("cpu", torch.bfloat16):
        output = encoder(torch.randn(views, 3, side, side).contiguous(memory_format=torch.channels_last))
    del output
    return sum(sizes.values())


def mebibytes_a_view(encoder: torch.nn.Module, side: int) -> float:
    return (kept(encoder, side, 8) - kept(encoder, side, 4)) / 4 / 2**20


def main() -> None:
    print("| backbone | pixels | parameters | kept a view | with checkpointing |")
    print("| --- | --- | --- | --- | --- |")
    for name, side in zip(sys.argv[1::2], map(int, sys.argv[2::2]), strict=True):
        encoder = build_backbone(name, 3, side).to(memory_format=torch.channels_last)
        plain = mebibytes_a_view(encoder, side)
        recompute(encoder)
        millions = sum(p.numel() for p in encoder.parameters()) / 1e6
        print(f"| {name} | {side} | {millions:.1f} M | {plain:.1f} MiB | {mebibytes_a_view(encoder, side):.1f} MiB |")


if __name__ == "__main__":
    main()
