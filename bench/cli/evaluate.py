"""The command `evaluate`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..metrics import PROTOCOL_METRICS, columns
from .app import AUTO, DataDir, Out, TrainOn, app, console, data_root, home
from .evaluators import Evaluators, TransferTo

if TYPE_CHECKING:
    from ..records import Record


@app.command()
def evaluate(
    encoder: Annotated[
        str,
        typer.Argument(help="An exported .safetensors, timm:NAME, timm:local-dir:FOLDER, a state dict, or FILE.py:Class."),
    ],
    datasets: Annotated[str, typer.Option(help="Specs with commas, such as cifar100,digits, or cifar100:px=224.")],
    evaluators: Evaluators = None,
    transfer_to: TransferTo = None,
    labels: Annotated[str | None, typer.Option(help="Also linear evaluation on these fractions of the train labels.")] = None,
    backbone: Annotated[str | None, typer.Option(help="The timm model that a state dict is of, such as resnet50.")] = None,
    weights: Annotated[Path | None, typer.Option(callback=home, help="The weights of timm:NAME or FILE.py:Class.")] = None,
    name: Annotated[str | None, typer.Option(help="What its row is called; else the name of its file.")] = None,
    device: TrainOn = AUTO,
    out: Out = Path("results"),
    data_dir: DataDir = None,
) -> None:
    """Evaluate any frozen encoder as every cell is evaluated; a record of role `external` below the rule of the tables."""
    from .. import records
    from ..encoders import open_encoder
    from ..environment import choose_device
    from ..evaluation.choice import choose, left_out
    from ..running import external
    from ..running.selection import choose_datasets
    from ..storage import check_writable

    root, place = data_root(data_dir), choose_device(device)
    specs, _ = choose_datasets(datasets, root)
    chosen = choose(evaluators, {"--labels": labels, "--transfer-to": transfer_to}, root)
    check_writable(out)
    opened = open_encoder(encoder, backbone, weights)
    opened = replace(opened, name=name or opened.name)
    for line in (f"{opened.name}: SHA-256 {opened.digest[:12]}", *opened.said, *left_out()):
        console.print(line, markup=False, soft_wrap=True)
    paths = [external.check_place(opened, spec, out) for spec in specs]
    for spec in specs:
        with _in_a_line(f"{opened.name} on {spec}"):
            external.fitted(opened, spec, place, root)  # all of them before anything is written
    for spec, path in zip(specs, paths, strict=True):
        with _in_a_line(f"{opened.name} on {spec}"), console.status("features") as shown:
            record = external.evaluate(opened, spec, chosen, place, root, shown.update)
        records.write(external.with_earlier(record, path), path)
        console.print("\n".join(_lines(record, path)), markup=False, soft_wrap=True)
    console.print(f"`python -m bench report --out {out}` renews the tables", markup=False, soft_wrap=True)


@contextlib.contextmanager
def _in_a_line(what: str) -> Iterator[None]:
    """Features that are not finite, or for which memory is refused, become a `UserError` that begins with ``what``."""
    from ..environment import is_out_of_memory
    from ..errors import Diverged, UserError, reason

    try:
        yield
    except Diverged as error:
        raise UserError(f"{what}: {error}") from None
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"{what}: memory was refused: {reason(error)}") from None


def _lines(record: Record, path: Path) -> list[str]:
    """What was found, a metric a line."""
    found = [*PROTOCOL_METRICS.values(), *columns(record.metrics, [record.evaluators]).values()]
    width = max(len(metric.title) for metric in found)
    head = f"{record.track}, in {record.cost['eval_seconds']:.0f} s: {path}"
    return [head, *(f"  {metric.title:{width}}  {metric.shown(record.metrics[metric.key])}" for metric in found)]
