"""`registry ingest`: read the topics of a dataset into batches."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer

from registry.cli.common import AsJson, Dataset, app, print_json, print_line, repository, say
from registry.streams.ingest import Bounds, Ingested, ingest

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
ENDED = {
    "messages": "as many as asked for",
    "time": "time is up",
    "end": "at the end of the topics",
    "signal": "stopped",
}


@app.command(name="ingest")
def read_stream(
    context: typer.Context,
    dataset: Dataset,
    max_messages: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many messages.", show_default=False)
    ] = None,
    period: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="Stop after a time: 30s, 10m, 2h.", show_default=False)
    ] = None,
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop where the topics end by now.")] = False,
    accept_lost: Annotated[
        bool, typer.Option("--accept-lost", help="Go on without messages that the broker lost before they were read.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read the topics of a dataset from Kafka into batches in raw/, and go on where the last ones end.

    Without a bound it goes on until SIGTERM or Ctrl-C, which let it write what it has read.
    """
    bounds = Bounds(max_messages, None if period is None else _seconds(period), until_end)
    with _stopping() as stop:
        done = ingest(repository(context), dataset, bounds, accept_lost=accept_lost, stopped=lambda: stop.told, say=say)
    if as_json:
        print_json(done)
    else:
        _print(done)


def _print(done: Ingested) -> None:
    left_out = ", ".join(f"{count:,} {reason}" for reason, count in sorted(done.left_out.items()))
    print_line(
        f"{done.dataset}: {done.messages:,} messages in {done.batches:,} batches"
        f"{f'; left out: {left_out}' if left_out else ''} ({ENDED[done.ended]})"
    )


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if found is None or not int(found[1]):
        raise typer.BadParameter("a number and s, m, h or d, such as 10m", param_hint="--for")
    return int(found[1]) * UNITS[found[2]]


class _Stop:
    told = False

    def tell(self, number: int, frame: FrameType | None) -> None:
        self.told = True


@contextmanager
def _stopping() -> Iterator[_Stop]:
    """Note SIGTERM and SIGINT during the block, instead of ending at once."""
    stop = _Stop()
    before = {number: signal.signal(number, stop.tell) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
