"""Turn READMEs into one table, handling those that are not UTF-8, empty or huge as the params say."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from registry.errors import RegistryError
from registry.files import output_folder, write_json
from registry.formats.tables import write_rows
from registry.formats.texts import CONTROLS, is_blank, wide_encoding
from registry.sources.readmes import blob_sha
from registry.workflow.job import job

log = logging.getLogger(__name__)

SCHEMA = pa.schema(
    [
        ("repository", pa.string()),
        ("path", pa.string()),
        ("sha", pa.string()),
        ("size", pa.int64()),
        ("lines", pa.int64()),
        ("text", pa.string()),
    ]
)
DEFECTS = ("not_utf8", "utf_16", "control_characters", "empty", "huge")
ROWS = 500
"""READMEs that are in memory at once, and in a row group."""
BOM = b"\xef\xbb\xbf"


def read_readme(folder: Path, document: dict[str, Any]) -> bytes:
    """Return the bytes of a README in raw/; RegistryError if they are not those that index.json names."""
    path = folder / f"{document['repository']}.md"
    if not path.is_file() or blob_sha(content := path.read_bytes()) != document["sha"]:
        raise RegistryError(
            "missing, or not the file that index.json names",
            where=path,
            hint="run: snakemake --forcerun opencloudhub_readmes_download",
        )
    return content


def policies_of(problems: dict[str, str]) -> dict[str, str]:
    """Return what to do with each defect; UTF-16 and UTF-32 are not UTF-8, but nothing of them is left to replace."""
    utf_16 = "fail" if problems["not_utf8"] == "replace" else problems["not_utf8"]
    return {"control_characters": "fail"} | problems | {"utf_16": utf_16}


def as_text(content: bytes, max_bytes: int) -> tuple[str, list[str]]:
    """Return a README's text, without a byte order mark, and its defects, of DEFECTS; `empty` is a blank one.

    Bytes that are not UTF-8, and control characters, stand in the text as U+FFFD.
    """
    text = content.decode("utf-8-sig", errors="replace")
    if len(content) > max_bytes:
        return text, ["huge"]
    if wide_encoding(content):
        return text, ["utf_16"]
    if is_blank(text):
        return text, ["empty"]
    defects = []
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        defects.append("not_utf8")
    if CONTROLS.search(text):
        defects.append("control_characters")
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text), defects


def count_lines(text: str) -> int:
    """Return the number of lines, where the last one need not end with a line break."""
    return text.count("\n") + (not text.endswith("\n"))


def process(raw: Path, folder: Path, cleaning: Path, options: dict[str, Any]) -> None:
    """Write `<folder>/documents.parquet`, one row per README by repository, and to `cleaning` what was done to which.

    Raises RegistryError if no README is left, and one that names every README whose defect has the policy `fail`.
    """
    policies = policies_of(options["problems"])
    index = json.loads((raw / "index.json").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {defect: [] for defect in DEFECTS}
    marked: list[str] = []

    def rows() -> Iterator[dict[str, Any]]:
        for document in index["documents"]:
            content = read_readme(raw, document)
            text, defects = as_text(content, options["max_bytes"])
            for defect in defects:
                found[defect].append(document["repository"])
            if any(policies[defect] != "replace" for defect in defects):
                continue
            if content.startswith(BOM):
                marked.append(document["repository"])
            yield {**document, "lines": count_lines(text), "text": text}

    with output_folder(folder) as partial:
        kept = write_rows(rows(), partial / "documents.parquet", SCHEMA, ROWS)
        failures = [
            f"    {defect}: {', '.join(names)}"
            for defect, names in found.items()
            if names and policies[defect] == "fail"
        ]
        if failures:
            raise RegistryError(
                "READMEs that the params refuse:\n" + "\n".join(failures),
                where=raw,
                hint=f"fix them where they come from, or change params.problems or params.max_bytes "
                f"({options['max_bytes']:,} now) in config/datasets/opencloudhub-readmes.yaml",
            )
        if not kept:
            left_out = ", ".join(f"{defect}: {len(names)}" for defect, names in found.items() if names)
            raise RegistryError(
                f"empty corpus: no README is left (of {len(index['documents'])}; {left_out or 'none was found'})",
                where=raw,
                hint="fix them where they come from, or choose another source (config/README.md)",
            )
    write_json(
        cleaning,
        {
            "found": len(index["documents"]),
            "kept": kept,
            "defects": {defect: {"policy": policies[defect], "repositories": names} for defect, names in found.items()},
            "byte_order_marks_removed": marked,
        },
    )
    log.info("kept %d of %d READMEs", kept, len(index["documents"]))


if __name__ == "__main__":
    with job(snakemake):
        process(
            Path(snakemake.input.folder),
            Path(snakemake.output.folder),
            Path(snakemake.output.cleaning),
            snakemake.params.options,
        )
