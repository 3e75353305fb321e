"""Cut READMEs into chunks that a reader, and a model, can make sense of by themselves."""

import hashlib
import json
import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from semantic_text_splitter import MarkdownSplitter, TextSplitter

from registry.embedding.table import keep_vectors
from registry.errors import RegistryError
from registry.files import atomic_file, write_json
from registry.formats.markdown import Clean, clean, is_markdown, sections, whole
from registry.formats.parquet import rows_of
from registry.formats.tables import write_rows
from registry.workflow.job import job

log = logging.getLogger(__name__)

CONFIG = "config/datasets/opencloudhub-readmes-embeddings.yaml"
NAMESPACE = uuid.UUID("53d58d80-3815-53af-b4e8-ffa7bb97d3ad")
"""Of the chunks' ids. Never to be changed: ids would change with it."""
ROWS = 20_000
"""Chunks that are in memory at once, and in a row group."""
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("content", pa.string()),
        ("source_repo", pa.string()),
        ("source_file", pa.string()),
        ("section_h1", pa.string()),
        ("section_h2", pa.string()),
        ("section_h3", pa.string()),
        ("chunk_index", pa.int64()),
        ("char_start", pa.int64()),
        ("char_end", pa.int64()),
        ("content_sha256", pa.string()),
    ]
)


def chunk_id(repository: str, file: str, headings: tuple[str | None, ...], text: str) -> str:
    """Return the UUIDv5 (RFC 9562) of a chunk: the same wherever and whenever it is the same text at the same place."""
    return str(uuid.uuid5(NAMESPACE, json.dumps([repository, file, *headings, text], ensure_ascii=False)))


def alphanumeric_share(text: str) -> float:
    """Return the share of letters and digits among the characters of a text that are not blank; 0 if there are none."""
    visible = [character for character in text if not character.isspace()]
    return sum(character.isalnum() for character in visible) / len(visible) if visible else 0.0


def chunks_of(document: dict[str, str], options: dict[str, Any], dropped: Counter[str]) -> Iterator[dict[str, Any]]:
    """Yield the chunks of a document (`repository`, `path`, `text`), in order; they never cross a heading of Markdown.

    What is not Markdown, by its path, is cut as plain text and has no headings.

    A piece that is too short, mostly not letters and digits, or there already under the same headings is left out and
    counted in `dropped` as short, noise or repeated. `char_start` and `char_end` tell where in the document's text a
    chunk comes from.
    """
    if is_markdown(document["path"]):
        splitter = MarkdownSplitter(options["size"], overlap=options["overlap"])
        cleaned = clean(document["text"])
        found = sections(cleaned.text)
    else:
        splitter = TextSplitter(options["size"], overlap=options["overlap"])
        cleaned = Clean.of(document["text"])
        found = whole(cleaned.text)
    seen: set[str] = set()
    for section in found:
        for offset, text in splitter.chunk_indices(cleaned.text[section.start : section.end]):
            name = chunk_id(document["repository"], document["path"], section.headings, text)
            if len(text) < options["min_length"]:
                dropped["short"] += 1
            elif alphanumeric_share(text) < options["min_alphanumeric"]:
                dropped["noise"] += 1
            elif name in seen:
                dropped["repeated"] += 1
            else:
                start = section.start + offset
                char_start, char_end = cleaned.span(start, start + len(text))
                yield {
                    "id": name,
                    "content": text,
                    "source_repo": document["repository"],
                    "source_file": document["path"],
                    **{f"section_h{level}": title for level, title in enumerate(section.headings, start=1)},
                    "chunk_index": len(seen),
                    "char_start": char_start,
                    "char_end": char_end,
                    "content_sha256": hashlib.sha256(text.encode()).hexdigest(),
                }
                seen.add(name)


def content_hashes(metadata: Iterable[str]) -> dict[str, str]:
    """Return {dataset: content_hash} of the datasets whose metadata.json are given."""
    facts = [json.loads(Path(path).read_text(encoding="utf-8")) for path in metadata]
    return {fact["dataset"]["name"]: fact["content_hash"] for fact in facts}


def chunk(documents: Path, chunks: Path, cleaning: Path, options: dict[str, Any]) -> None:
    """Write the chunks of all documents to a Parquet file, and to `cleaning` how many were kept and left out of which.

    Raises RegistryError if no chunk is left, or if chunks are to share as much as they hold.
    """
    if options["overlap"] >= options["size"]:
        raise RegistryError(
            f"params.chunks.overlap: {options['overlap']} is not less than size, {options['size']}",
            where=CONFIG,
            hint="make it smaller: a tenth of size is usual",
        )
    counts: dict[str, dict[str, int]] = {}

    def rows() -> Iterator[dict[str, Any]]:
        for document in rows_of(documents, ("repository", "path", "text")):
            dropped = Counter(short=0, noise=0, repeated=0)
            found = list(chunks_of(document, options, dropped))
            counts[document["repository"]] = {"chunks": len(found), **dropped}
            yield from found

    with atomic_file(chunks) as partial:
        count = write_rows(rows(), partial, SCHEMA, ROWS)
        if not count:
            raise RegistryError(
                f"empty corpus: none of {len(counts)} documents has a chunk that is long enough",
                where=documents,
                hint=f"lower params.chunks.min_length in {CONFIG}",
            )
    write_json(cleaning, counts)
    log.info("%d chunks of %d documents", count, len(counts))


if __name__ == "__main__":
    with job(snakemake):
        chunk(
            Path(snakemake.input.documents),
            Path(snakemake.output.chunks),
            Path(snakemake.output.cleaning),
            snakemake.params.options,
        )
        keep_vectors(Path(snakemake.params.last), Path(snakemake.output.last))
        write_json(
            snakemake.output.sources,
            {"mode": snakemake.params.source, "files": [], "datasets": content_hashes(snakemake.input.made_of)},
        )
