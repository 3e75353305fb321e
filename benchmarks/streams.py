"""Measure a dataset that grows from a stream, into streams.md: python benchmarks/streams.py [--kills N]."""

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from measure import ROOT, Usage, run, write_lines

sys.path[:0] = [str(ROOT / folder) for folder in ("scripts", "tests", "tests/publish", "tests/streams")]

from flow import INGEST, RUN, Flow, kill_rounds, make_flow  # noqa: E402
from tansu import Tansu  # noqa: E402

REGISTRY = (sys.executable, "-m", "registry")
RUNS = 3
AIM = "at least 50,000 messages/s on two cores, 300 MB"


def row(what: str, count: int, usage: Usage, aim: str = "") -> str:
    """Return a row of the table, with how many messages it was in a second, and in one of CPU."""
    figures = f"{usage.wall:.1f} | {usage.cpu:.1f} | {usage.memory:.0f}"
    figures += f" | {count / usage.wall:,.0f} | {count / usage.cpu:,.0f}"
    return f"| {what} | {figures} | {aim} |"


def measured(flow: Flow, count: int) -> list[str]:
    """Read so many messages that are in the topic already, then build and release them; a row for each."""
    flow.produce(count, 1, "--days", "30")
    env, found = flow.environment(), []
    for _ in range(RUNS):
        shutil.rmtree(flow.folder / "data" / "events", ignore_errors=True)
        found.append(run(*REGISTRY, *INGEST, folder=flow.folder, env=env))
    figures = [statistics.median(getattr(usage, key) for usage in found) for key in ("wall", "cpu", "memory")]
    rows = [row(f"`registry ingest` of {count:,} messages of 205 bytes, 3 partitions", count, Usage(*figures), AIM)]
    built = run(*REGISTRY, *RUN, folder=flow.folder, env=env)
    flow.check_all_is_released()
    return [*rows, row(f"`registry run events` of these: build and release of {count:,} messages", count, built)]


def main() -> None:
    """Measure how fast messages are read and built, and that kills lose and double none."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="how many messages")
    parser.add_argument("--kills", type=int, default=50, help="how many commands are killed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, Tansu(Path(place)) as broker:
        for topic in ("many", "killed"):
            broker.create(topic)
        rows = measured(make_flow(Path(place, "many", "registry"), broker.address, "many"), options.count)
        flow = make_flow(Path(place, "killed", "registry"), broker.address, "killed")
        killed = kill_rounds(flow, options.kills, seed=50)
        flow.check_all_is_released()
        events, messages, poison = flow.sent()
        kills = ", ".join(f"{count} of `registry {command}`" for command, count in sorted(killed.items()))
        ended = (
            f"{killed.total()} kills (kill -9 of the process group at a random step: {kills}) while {messages:,} "
            f"messages were sent, {poison:,} of them poison: the last of {len(flow.versions())} versions has all "
            f"{len(events):,} events, each once."
        )
    head = ["| what | wall s | CPU s | peak MB | messages/s | of CPU | aim |", "|---|---|---|---|---|---|---|"]
    write_lines("streams", [*head, *rows, "", ended])


if __name__ == "__main__":
    main()
