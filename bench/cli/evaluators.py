"""Options of commands that judge encoders."""

from __future__ import annotations

from typing import Annotated

import typer

Labels = Annotated[
    str | None, typer.Option(help="Also linear evaluation on these fractions of the train labels, such as 0.01,0.1.")
]
Evaluators = Annotated[
    str | None, typer.Option(help="Beside the protocol, with commas: clustering, spectrum, transfer, robustness; or all.")
]
TransferTo = Annotated[str | None, typer.Option(help="Datasets on which the transfer is judged, such as digits,fashion_mnist.")]
