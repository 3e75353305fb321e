"""The record of a run as Markdown, for the page on which a schedule shows what it did."""

from collections.abc import Iterable, Mapping
from typing import Any

from rich.filesize import decimal

from registry.shown import markdown, markdown_block
from registry.workflow.failures import FailedJob
from registry.workflow.verdict import held_back, remarks

LIMIT = 1_000_000
"""Bytes. GitHub shows none of the summary of a step that is longer than 1 MiB."""
MESSAGE = 4_000
"""Characters of what a failed job has said."""
CUT = "\n\nThe rest is too long for this page; all of it is in logs/run.json.\n"


def as_markdown(record: Mapping[str, Any]) -> str:
    """Return the content of logs/run.json as Markdown, in which what others wrote has no meaning but itself."""
    text = "\n".join(
        [
            f"## {record['ending'].capitalize()}\n",
            *(f"{markdown_block(line)}\n" for line in remarks(record)),
            *_table(record["datasets"]),
            *_section("Released", _released(record["datasets"])),
            *_section("Not released", _held_back(record)),
            *_section("Failed", _failed(record)),
        ]
    )
    data = text.encode()
    if len(data) <= LIMIT:
        return text
    return data[: LIMIT - len(CUT)].decode(errors="ignore").rpartition("\n")[0] + CUT


def _table(datasets: Iterable[Mapping[str, Any]]) -> list[str]:
    rows = []
    for one in datasets:
        release = one["release"] or {}
        cells = (
            one["dataset"],
            one["state"],
            release.get("version"),
            release.get("level"),
            None if one["rows"] is None else f"{one['rows']:,}",
            None if one["bytes"] is None else decimal(one["bytes"]),
            None if one["seconds"] is None else f"{one['seconds']:.1f} s",
        )
        rows.append(f"| {' | '.join('' if cell is None else markdown(cell) for cell in cells)} |")
    head = ["| dataset | state | version | level | rows | size | time |", "|---|---|---|---|--:|--:|--:|"]
    return [*head, *rows, ""] if rows else []


def _released(datasets: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for one in datasets:
        release = one["release"] or {}
        if release.get("state") in ("released", "recorded"):
            what = release["tag"] or "committed without a new version"
            lines = [*release["reasons"], *(f"warning: {line}" for line in release.get("warnings", ()))]
            yield f"{markdown(one['dataset'])}: {markdown(what)}" + "".join(f"\n  - {markdown(line)}" for line in lines)


def _held_back(record: Mapping[str, Any]) -> Iterable[str]:
    for name, why in held_back(record).items():
        yield f"{markdown(name)}: {markdown(why)}"


def _failed(record: Mapping[str, Any]) -> Iterable[str]:
    for job in record["failed_jobs"]:
        said = FailedJob(**job).said[-MESSAGE:]
        yield f"{markdown(job['rule'])}\n\n{markdown_block(said)}\n"
    for one in record["datasets"]:
        for breach in one["breaches"]:
            yield f"{markdown(one['dataset'])}: {markdown(breach['message'])}"


def _section(title: str, entries: Iterable[str]) -> list[str]:
    listed = [f"- {entry}" for entry in entries]
    return [f"### {title}\n", *listed, ""] if listed else []
