"""The progress of a run: a live bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn
from rich.progress import Task as RichTask
from rich.text import Text

from .. import events
from ..cells import Cell
from ..events import Event, Interrupted, Phase, Recorded, Resumed, Started, Waiting, Warned
from ..metrics import COMPARED, PROTOCOL_METRICS, columns
from ..records import Record
from .scheduler import Task

PLAIN_EVERY = 10.0  # seconds between two lines about the same cell where there is no terminal


class Clock(ProgressColumn):
    """The time since the run began; rich's own column stops where the first cell's training ends."""

    def render(self, task: RichTask) -> Text:
        return Text(_clock(task.elapsed or 0.0), style="progress.elapsed")


class Bar:
    """A progress bar with figures, where there is a terminal. Use as a context."""

    def __init__(self, console: Console, description: str = ""):
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=10),
            TaskProgressColumn(),
            TextColumn("{task.fields[facts]}"),
            Clock(),
            console=console,
            disable=not console.is_terminal,
        )
        self.bar = self.progress.add_task(description, total=1.0, facts="", visible=False)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()


class Display(Bar):
    """Shows the cells of a run. Use as a context; `on_event` takes the scheduler's events."""

    def __init__(self, console: Console, total: int):
        super().__init__(console)
        self.total, self.number = total, 0
        self.cell_begun = self.said = time.monotonic()
        self.finished: list[float] = []

    def on_event(self, task: Task, event: Event) -> None:
        match event:
            case Started():
                self._start(task.cell)
            case Recorded(record):
                self._done(task.cell, record)
            case Warned(line):
                self.warn(line)
            case Waiting(cells):
                self.console.print(f"waiting for another run on this folder, which computes {cells} of the cells")
            case Interrupted():
                self.console.print("  a checkpoint is written")
            case Resumed(progress):
                self.console.print(f"  going on at {progress:.0%} of the budget")
            case Phase(name, float(progress)):
                self._advance(progress, name)
            case events.Progress():
                self._advance(event.progress, self._facts(event))

    def warn(self, line: str) -> None:
        self.console.print(f"  warning: {line}", markup=False, soft_wrap=True)

    def _start(self, cell: Cell) -> None:
        self.number += 1
        self.cell_begun = self.said = time.monotonic()
        name = escape(f"[{self.number}/{self.total}] {cell}")
        short = escape(f"[{self.number}/{self.total}] {cell.recipe.contender}")  # room for the facts on 80 columns
        self.progress.update(self.bar, description=short, completed=0.0, facts="", visible=True)
        if not self.console.is_terminal:
            self.console.print(name, soft_wrap=True)

    def _advance(self, progress: float, facts: str) -> None:
        self.progress.update(self.bar, completed=progress, facts=facts)
        if not self.console.is_terminal and time.monotonic() - self.said > PLAIN_EVERY:
            self.said = time.monotonic()
            self.console.print(f"  {progress:.0%}  {facts}", soft_wrap=True)

    def _facts(self, event: events.Progress) -> str:
        facts = [f"{event.images_per_second:,.0f} images/s"] if event.images_per_second else []
        if event.loss is not None:
            facts.append(f"loss {event.loss:.3f}")
        if 0 < event.progress < 1 and event.seconds:
            facts.append(f"{_clock(self._left(event.progress))} left of the run")
        return ", ".join(facts)

    def _left(self, progress: float) -> float:
        """Seconds to the end of the whole run, as if every cell took as long as those before."""
        this = (time.monotonic() - self.cell_begun) / progress
        typical = sum([*self.finished, this]) / (len(self.finished) + 1)
        return this * (1 - progress) + typical * (self.total - self.number)

    def _done(self, cell: Cell, record: Record) -> None:
        spent = time.monotonic() - self.cell_begun
        if record.status == "ok":
            self.finished.append(spent)
            shown = {key: PROTOCOL_METRICS[key] for key in COMPARED} | columns(record.metrics, [record.evaluators])
            few = list(shown)[: len(COMPARED)] if self.console.is_terminal else list(shown)  # the table has the others
            scores = ", ".join(f"{shown[key].title} {shown[key].shown(record.metrics[key])}" for key in few)
            text = f"[green]ok[/]  {escape(str(cell))}: {scores}, {spent:.0f} s"
        else:
            why = (record.error or {}).get("exception", "")
            text = f"[red]{record.status}[/]  {escape(str(cell))}: {escape(why)}"
        self.console.print(text, soft_wrap=True)


class Images(Bar):
    """Shows the decoding of image files. Use as a context; `on_progress` takes the number done and the total."""

    def __init__(self, console: Console):
        super().__init__(console, "images")
        self.begun = self.said = time.monotonic()
        self.first: int | None = None  # images that were done already

    def on_progress(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self.first is None:
            self.first, self.begun, self.said = done, now, now
            if done:
                self.console.print(f"going on after {done:,} of {total:,} images", soft_wrap=True)
        facts = self._facts(done, total, now - self.begun)
        self.progress.update(self.bar, completed=done, total=total, facts=facts, visible=True)
        if not self.console.is_terminal and (now - self.said > PLAIN_EVERY or done == total):
            self.said = now
            self.console.print(f"  {facts}", soft_wrap=True)

    def _facts(self, done: int, total: int, seconds: float) -> str:
        facts = [f"{done:,} of {total:,} images"]
        fresh = done - (self.first or 0)
        if fresh and seconds:
            facts.append(f"{fresh / seconds:,.0f} images/s")
            if done < total:
                facts.append(f"{_clock((total - done) * seconds / fresh)} left")
        return ", ".join(facts)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
