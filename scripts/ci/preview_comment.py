"""Tell in Markdown what would be released from this checkout: for each dataset its version, why, and what differs.

It goes to the summary of the job, and to its output `comment`. What stands in data, code or messages has no meaning in
it but itself.
"""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from registry.shown import markdown, shown

LIMIT = 60_000
"""Bytes. GitHub takes a comment of 65,536 characters."""
CUT = "\n\nThe rest is too long for a comment.\n"
STATISTICS = 10
VALUE = 200
"""Characters of a value that are shown."""
SILENT = ("unchanged", "not built")


def asked(*command: str) -> dict[str, Any]:
    """Return the JSON that `registry` prints, whatever its exit code; {} where it prints none. The log says why."""
    done = subprocess.run([sys.executable, "-m", "registry", *command, "--json"], stdout=subprocess.PIPE, check=False)  # noqa: S603
    return json.loads(done.stdout) if done.stdout.strip() else {}


def comment(
    plan: Mapping[str, Any], diffs: Mapping[str, Mapping[str, Any]], built: bool, pages: str | None = None
) -> str:
    """Return the text for what `registry publish --dry-run --json` and `registry diff --json` print.

    `pages` is the address at which there is a page for each difference, if there is one.
    """
    lines = ["## What would be released if this is merged", ""]
    if not built:
        lines += ["**Not everything could be built: see the log of the job.**", ""]
    if plan.get("skipped"):
        lines += [f"Nothing: {markdown(plan['skipped'])}", ""]
    told = [one for one in plan.get("outcomes", ()) if one["state"] not in SILENT]
    if not plan:
        lines += ["What would be released cannot be told: see the log of the job."]
    else:
        lines += _table(told) if told else ["No dataset changes."]
    if pages:
        lines += ["", f"Side by side, with rows and pictures: the artifact `differences` of [this run]({pages})."]
    for one in told:
        if one["dataset"] in diffs:
            lines += ["", f"### {markdown(one['dataset'])} {markdown(one['previous'])} &rarr; what is built", ""]
            found = diffs[one["dataset"]]
            lines += _differences(found) if found else ["What differs cannot be told: see the log of the job."]
    text = "\n".join(lines) + "\n"
    cut = text.encode()[: LIMIT - len(CUT)].decode(errors="ignore").rpartition("\n")[0] + CUT
    return text if len(text.encode()) <= LIMIT else cut


def _table(outcomes: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield "| dataset | state | newest | would be | level | why |"
    yield "|---|---|---|---|---|---|"
    for one in outcomes:
        why = "<br>".join(map(markdown, [*one["reasons"], *filter(None, [one["hint"]])]))
        cells = [one[key] and markdown(one[key]) for key in ("dataset", "state", "previous", "version", "level")]
        yield f"| {' | '.join(cell or '' for cell in cells)} | {why} |"


def _differences(found: Mapping[str, Any]) -> Iterator[str]:
    if found["splits"]:
        yield "| split | before | after | added | removed | changed | rows |"
        yield "|---|--:|--:|--:|--:|--:|---|"
        for split, rows in found["splits"].items():
            named = [f"{kind}: {', '.join(keys)}" for kind, keys in rows["examples"].items() if keys]
            numbers = [f"{rows[key]:,}" for key in ("before", "after", "added", "removed", "changed")]
            yield f"| {markdown(split)} | {' | '.join(numbers)} | {'<br>'.join(map(markdown, named))} |"
    for row in found["values"] or ():
        yield ""
        yield f"- {markdown(row['split'])}, {markdown(row['key'])}"
        for column, pair in row["values"].items():
            old, new = (shown(json.dumps(value, ensure_ascii=False))[:VALUE] for value in pair)
            yield f"  - {markdown(column)}: {markdown(old)} &rarr; {markdown(new)}"
    statistics = found["statistics"]
    if statistics:
        yield ""
        yield "| statistic | before | after |"
        yield "|---|--:|--:|"
        for one in statistics[:STATISTICS]:
            yield f"| {markdown(one['path'])} | {markdown(one['old'])} | {markdown(one['new'])} |"
        if len(statistics) > STATISTICS:
            yield ""
            yield f"{len(statistics) - STATISTICS:,} more statistics moved."


def main() -> int:
    """Ask the registry, and write the text where GitHub Actions wants it, or print it; return the exit code."""
    plan = asked("publish", "--dry-run")
    told = [one for one in plan.get("outcomes", ()) if one["state"] not in SILENT and one["previous"]]
    folder = Path(os.environ.get("DIFFERENCES", "differences"))
    diffs = {
        name: asked("diff", name, "latest", "--rows", "3", "--html", str(folder / f"{name}.html"))
        for name in (one["dataset"] for one in told)
    }
    pages = os.environ.get("RUN_URL") if any(folder.glob("*.html")) else None
    text = comment(plan, diffs, os.environ.get("BUILT", "success") == "success", pages)
    code = 0 if plan else 1
    if "GITHUB_STEP_SUMMARY" not in os.environ:
        print(text, end="")
        return code
    with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as summary:
        summary.write(text)
    # No text that others wrote can end it.
    end = secrets.token_hex(16)
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        output.write(f"comment<<{end}\n{text}{end}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
