"""Dataset specs such as ``cifar100:classes=20,fraction=0.1``: parsing and writing them."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import DataError

SIDES = (8, 1024)  # least and greatest side of a network's input, in pixels
MOST_DRAWS = 1_000_000  # of a choice of classes
DEV = "dev"  # an option without a value
OPTIONS_BY_EXAMPLE = "dev,labels=coarse,classes=20,draw=1,fraction=0.1,images=5000,test=1000,px=64"
MAKES = f"a spec is NAME or NAME:KEY=VALUE,..., with any of {OPTIONS_BY_EXAMPLE}"


@dataclass(frozen=True)
class Spec:
    """A track's name, how much of it is used, with which labels, and at what input size; ``str()`` is its canonical form."""

    name: str
    classes: int | None = None
    fraction: float | None = None
    px: int | None = None  # side of the network's input; None: the track's own
    draw: int | None = None  # the number of the seeded choice of ``classes``; None: the first one
    images: int | None = None  # images of train in all, an equal share of each class
    test: int | None = None  # images of the test split in all, an equal share of each class
    labels: str | None = None  # the name of one of the track's groupings; None: its own classes
    dev: bool = False  # trained on train less its held-out tenth and judged on that; the test split is not opened

    def __str__(self) -> str:
        fraction = self.fraction and f"{self.fraction:g}"
        written = {"labels": self.labels, "classes": self.classes, "draw": self.draw, "fraction": fraction}
        written |= {"images": self.images, "test": self.test, "px": self.px}
        chosen = [f"{key}={value}" for key, value in written.items() if value is not None]
        options = ",".join([DEV, *chosen] if self.dev else chosen)
        return f"{self.name}:{options}" if options else self.name


OPTIONS = {"labels": str, "classes": int, "draw": int, "fraction": float, "images": int, "test": int, "px": int}


def parse_spec(text: str) -> Spec:
    """The spec that ``text`` writes; `DataError` says what would be right."""
    name, _, rest = text.strip().partition(":")
    options: dict[str, str] = {}
    for part in rest.replace(":", ",").split(",") if rest or ":" in text else []:
        key, equals, value = part.strip().partition("=")
        if bool(equals) == (key == DEV) or key in options:
            raise DataError(f"cannot read {text!r}: {MAKES}")
        options[key] = value
    if "," in name:  # cifar10,classes=5
        raise DataError(f"cannot read {text!r}: {MAKES}; did you mean {name.replace(',', ':', 1)}?")
    dev = options.pop(DEV, None) is not None
    if not name or set(options) - set(OPTIONS):
        raise DataError(f"cannot read {text!r}: {MAKES}")
    if "draw" in options and "classes" not in options:
        raise DataError(f"draw in {text!r} says which classes are drawn, and needs classes")
    if "fraction" in options and "images" in options:
        raise DataError(f"fraction and images in {text!r} both say how much of train is used: one will do")
    return Spec(name, dev=dev, **{key: _value(text, key, value) for key, value in options.items()})


def _value(text: str, key: str, written: str):
    try:
        value = OPTIONS[key](written)
    except ValueError:
        raise DataError(f"{key} in {text!r} must be a number; {MAKES}") from None
    if key == "fraction":
        value = float(f"{value:g}")  # as it is written in records and paths
        if not 1e-6 <= value <= 1:
            raise DataError(f"fraction in {text!r} must be above 0 and at most 1")
    if key == "labels" and not value:
        raise DataError(f"cannot read {text!r}: {MAKES}")
    if key == "classes" and value < 2:
        raise DataError(f"classes in {text!r} must be at least 2")
    if key in ("draw", "images", "test") and value < 1:
        raise DataError(f"{key} in {text!r} must be 1 or more")
    if key == "draw" and value > MOST_DRAWS:
        raise DataError(f"draw in {text!r} must be at most {MOST_DRAWS:,}")
    if key == "px" and not SIDES[0] <= value <= SIDES[1]:
        raise DataError(f"px in {text!r} must be from {SIDES[0]} to {SIDES[1]}")
    return value


def split_specs(text: str) -> list[str]:
    """Split a comma-separated list of specs; a part with a ``=``, or ``dev``, is an option of the spec before it."""
    specs: list[str] = []
    for part in text.split(","):
        if ("=" in part or part.strip() == DEV) and ":" not in part and specs:
            specs[-1] += "," + part
        else:
            specs.append(part)
    return specs
