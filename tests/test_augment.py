"""The batched augmentation against torchvision's functional API, image by image, given the same parameters."""

from dataclasses import replace

import pytest
import torch
from scipy.stats import ks_2samp, kstest
from torchvision.transforms import ColorJitter, RandomResizedCrop
from torchvision.transforms import functional as tv
from torchvision.transforms.functional import InterpolationMode

from bench.datasets import augment, colour, geometry
from bench.datasets.augment import Policy

POLICY = Policy(mean=(0.5,) * 3, std=(0.25,) * 3, blur=0.5)
STEP = 1 / 255


@pytest.fixture
def images():
    """24 images of 3 x 32 x 32 with structure of all sizes."""
    small = torch.rand(24, 3, 8, 8)
    smooth = torch.nn.functional.interpolate(small, size=32, mode="bicubic")
    return ((smooth + 0.3 * torch.rand(24, 3, 32, 32)).clamp(0, 1) * 255).to(torch.uint8)


def drawn(count: int, side: int = 32, policy: Policy = POLICY):
    size = torch.full((count,), float(side))
    return augment.draw(policy, size, size, torch.Generator().manual_seed(1), order_seed=2)


def worst(ours, theirs):
    return (ours - torch.stack(theirs)).abs().max().item()


@pytest.mark.parametrize("scale", [(0.2, 1.0), (0.9, 1.0)])
def test_crop_is_pils(images, scale):
    """Enlarging crops, also against PIL on uint8, which rounds twice."""
    boxes = geometry.random_boxes(*torch.full((2, 24), 32.0), scale, (3 / 4, 4 / 3), torch.Generator().manual_seed(0))
    ours = geometry.crop_resize(images.float() / 255, boxes, 32)
    theirs, from_pil = [], []
    for image, box in zip(images, zip(*[b.int().tolist() for b in boxes], strict=True), strict=True):
        theirs.append(tv.resized_crop(image.float() / 255, *box, [32, 32], antialias=True))
        from_pil.append(tv.to_tensor(tv.resized_crop(tv.to_pil_image(image), *box, [32, 32], InterpolationMode.BILINEAR)))
    assert worst(ours, theirs) < 1e-5
    assert worst(ours, from_pil) < 1.5 * STEP


def test_reducing_crop_is_antialiased(images):
    boxes = geometry.Boxes(*torch.tensor([[0.0, 3.0], [2.0, 0.0], [32.0, 20.0], [29.0, 31.0]]))
    ours = geometry.crop_resize(images[:2].float() / 255, boxes, 12)
    theirs = [
        tv.resized_crop(image.float() / 255, *[int(side[i]) for side in boxes], [12, 12], antialias=True)
        for i, image in enumerate(images[:2])
    ]
    assert worst(ours, theirs) < 1e-5


def test_flip_mirrors_the_crop(images):
    boxes = geometry.Boxes(*torch.tensor([[4.0], [5.0], [20.0], [23.0]]).expand(4, 24))
    plain = geometry.crop_resize(images.float(), boxes, 32, torch.zeros(24, dtype=torch.bool))
    mirrored = geometry.crop_resize(images.float(), boxes, 32, torch.ones(24, dtype=torch.bool))
    assert torch.allclose(plain.flip(3), mirrored, atol=1e-3)


@pytest.mark.parametrize(
    ("ours", "theirs", "low", "high"),
    [
        (colour.brightness, tv.adjust_brightness, 0.2, 1.8),
        (colour.contrast, tv.adjust_contrast, 0.2, 1.8),
        (colour.saturation, tv.adjust_saturation, 0.2, 1.8),
        (colour.hue, tv.adjust_hue, -0.5, 0.5),
    ],
)
def test_colour_operations(images, ours, theirs, low, high):
    factors = torch.linspace(low, high, 24)
    floats = images.float() / 255
    floats[0] = floats[0, :1]  # a grey image has no hue to turn
    expected = [theirs(image, factor.item()) for image, factor in zip(floats, factors, strict=True)]
    assert worst(ours(floats, factors), expected) < STEP


def test_grayscale(images):
    floats = images.float() / 255
    chosen = torch.arange(24) % 2 == 0
    expected = [tv.rgb_to_grayscale(x, 3) if c else x for x, c in zip(floats, chosen, strict=True)]
    assert worst(colour.grayscale(floats, chosen), expected) < STEP


def test_solarize(images):
    chosen = torch.arange(24) % 2 == 0
    ours = colour.solarize(images.float() / 255, chosen)
    theirs = [tv.solarize(image, 128).float() / 255 if i % 2 == 0 else image / 255 for i, image in enumerate(images)]
    assert worst(ours, theirs) < 1e-6
    half = augment.draw(replace(POLICY, solarize=0.5), *torch.full((2, 4000), 32.0), torch.Generator().manual_seed(0), 0)
    assert half.solarize.float().mean() == pytest.approx(0.5, abs=0.03)
    plain = augment.draw(POLICY, *torch.full((2, 4000), 32.0), torch.Generator().manual_seed(0), 0)
    assert plain.solarize is None and torch.equal(plain.blur, half.blur)  # what came later changes nothing drawn before


def test_blur(images):
    sigma = torch.linspace(0.1, 2.0, 24)
    floats = images.float() / 255
    expected = [tv.gaussian_blur(x, [23, 23], [s.item()] * 2) for x, s in zip(floats, sigma, strict=True)]
    assert worst(geometry.gaussian_blur(floats, sigma, 23), expected) < 2 * STEP


def test_whole_pipeline(images):
    """All operations in the drawn order, against torchvision one image at a time."""
    p = drawn(24)
    ours = augment.apply(POLICY, images, p, 32)
    operations = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation, tv.adjust_hue)
    expected = []
    for i, image in enumerate(images):
        box = [int(side[i]) for side in p.boxes]
        view = tv.resized_crop(image.float() / 255, *box, [32, 32], antialias=True)
        view = tv.hflip(view) if p.flip[i] else view
        for op in p.orders[i // 6]:
            view = operations[op](view.clamp(0, 1), p.factors[op, i].item())
        view = tv.rgb_to_grayscale(view, 3) if p.gray[i] else view
        view = tv.gaussian_blur(view, [23, 23], [p.sigma[i].item()] * 2) if p.blur[i] else view
        expected.append(tv.normalize(view, POLICY.mean, POLICY.std))
    assert worst(ours, expected) < 3 * STEP / 0.25


def test_two_images_never_share_parameters():
    p = drawn(200)
    assert len(set(zip(*[side.tolist() for side in p.boxes], strict=True))) > 150
    jittered = p.factors[0] != 1
    for row in p.factors[:, jittered]:
        assert len(row.unique()) == int(jittered.sum())


def test_views_of_a_batch_differ(images):
    same = images[:1].repeat(16, 1, 1, 1)
    views = augment.augment(POLICY, same, None, 32, torch.Generator().manual_seed(0), 0)
    assert len({tuple(view.flatten()[:50].tolist()) for view in views}) == 16


@pytest.mark.parametrize("shape", [(32, 32), (200, 50)])
def test_boxes_are_distributed_as_torchvisions(shape):
    """Kolmogorov-Smirnov on 20,000 draws; the narrow image often falls back to the central crop."""
    count = 20_000
    size = [torch.full((count,), float(side)) for side in shape]
    ours = geometry.random_boxes(*size, (0.2, 1.0), (3 / 4, 4 / 3), torch.Generator().manual_seed(3))
    blank = torch.zeros(1, *shape)
    theirs = torch.tensor([RandomResizedCrop.get_params(blank, [0.2, 1.0], [3 / 4, 4 / 3]) for _ in range(count)])
    for mine, reference in zip(ours, theirs.T, strict=True):
        assert ks_2samp(mine.numpy(), reference.numpy()).pvalue > 1e-3


def test_colours_are_distributed_as_torchvisions():
    policy = Policy(mean=(0.5,) * 3, std=(0.25,) * 3, jitter_probability=1.0)
    ours = drawn(20_000, policy=policy).factors
    reference = ColorJitter(0.4, 0.4, 0.4, 0.1)
    limits = [reference.brightness, reference.contrast, reference.saturation, reference.hue]
    for row, (low, high) in zip(ours, limits, strict=True):
        assert kstest(row.numpy(), "uniform", args=(low, high - low)).pvalue > 1e-3
    p = drawn(20_000)
    sizes = {"jitter": (p.factors[0] != 1, 0.8), "gray": (p.gray, 0.2), "flip": (p.flip, 0.5), "blur": (p.blur, 0.5)}
    for name, (happened, probability) in sizes.items():
        assert abs(happened.float().mean().item() - probability) < 0.015, name
    assert kstest(p.sigma.numpy(), "uniform", args=(0.1, 1.9)).pvalue > 1e-3


def test_orders_are_uniform():
    draws = [augment.draw(POLICY, *torch.full((2, 4), 8.0), torch.Generator(), seed) for seed in range(600)]
    seen = [tuple(order) for parameters in draws for order in parameters.orders]
    counts = {order: seen.count(order) for order in set(seen)}
    assert len(counts) == 24
    assert max(counts.values()) < 2 * min(counts.values())


@pytest.mark.parametrize(("stored", "seen"), [(256, 224), (64, 32), (32, 32)])
@pytest.mark.parametrize("original", [(1, 300), (300, 1), (2, 1000), (7, 8)])
def test_an_image_of_any_shape_gives_numbers(stored, seen, original):
    """A region of an image 300 times as long as wide is less than a pixel of the store."""
    images = torch.randint(0, 256, (16, 3, stored, stored), dtype=torch.uint8)
    sizes = torch.tensor([original]).expand(16, 2)
    assert augment.evaluation_view(POLICY, images, sizes, seen).isfinite().all()
    assert augment.augment(POLICY, images, sizes, seen, torch.Generator().manual_seed(0), 0).isfinite().all()


def test_squashed_images_are_seen_in_their_own_geometry():
    """A store of squashed images shows what a crop of the original shows."""
    original = torch.nn.functional.interpolate(torch.rand(1, 3, 12, 12), size=(192, 384), mode="bicubic").clamp(0, 1)
    squashed = (tv.resize(original, [256, 256], antialias=True) * 255).round().to(torch.uint8)
    sizes = torch.tensor([[192, 384]])
    view = augment.evaluation_view(POLICY, squashed, sizes, 112)
    expected = tv.center_crop(tv.resize(original, [128], antialias=True), [112, 112])
    assert (view * 0.25 + 0.5 - expected).abs().mean() < 0.01


@pytest.mark.parametrize("original", [(375, 500), (500, 333), (120, 600)])
def test_the_region_seen_of_a_squashed_image_is_torchvisions(original):
    """In original pixels, by Kolmogorov-Smirnov on 20,000 draws; the store is 256 x 256, whatever the image was."""
    count = 20_000
    sizes = torch.tensor([original]).expand(count, 2)
    stored = torch.empty(count, 0, 256, 256, dtype=torch.uint8)  # only its sides matter
    height, width = augment.original_size(stored, sizes)
    drawn = augment.draw(POLICY, height, width, torch.Generator().manual_seed(1), 0).boxes
    seen = augment.to_store(drawn, stored, height, width)
    unit = torch.tensor([original[0], original[1], original[0], original[1]]) / 256
    blank = torch.zeros(1, *original)
    theirs = torch.tensor([RandomResizedCrop.get_params(blank, [0.2, 1.0], [3 / 4, 4 / 3]) for _ in range(count)])
    for mine, scale, reference in zip(seen, unit, theirs.T, strict=True):
        assert ks_2samp((mine * scale).round().numpy(), reference.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("original", [(375, 500), (500, 333), (256, 256), (90, 700)])
def test_evaluation_sees_what_resize_and_center_crop_see(original):
    """A view of an image whose pixels are their own coordinates tells which region it shows."""
    y, x = (torch.linspace(0, 1, side) for side in original)
    image = torch.stack(torch.meshgrid(y, x, indexing="ij"))[None]
    squashed = (tv.resize(image, [256, 256], antialias=True) * 255).round().to(torch.uint8)
    policy = Policy(mean=(0.0, 0.0), std=(1.0, 1.0))
    view = augment.evaluation_view(policy, squashed, torch.tensor([original]), 224)
    expected = tv.center_crop(tv.resize(image, [256], antialias=True), [224, 224])
    assert (view - expected).abs().max() < 2 / 255 + 1 / min(original)
