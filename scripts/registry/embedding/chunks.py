"""Cut documents into chunks that a reader, and a model, can make sense of by themselves."""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pat
from semantic_text_splitter import MarkdownSplitter, TextSplitter

from registry.errors import RegistryError
from registry.files import atomic_file
from registry.formats.markdown import Clean, clean, is_markdown, sections, whole
from registry.formats.parquet import explained, rows_of
from registry.formats.tables import write_rows

NAMESPACE = uuid.UUID("53d58d80-3815-53af-b4e8-ffa7bb97d3ad")
"""Of the chunks' ids. Never to be changed: ids would change with it."""
ROWS = 20_000
"""Chunks that are in memory at once, and in a row group."""
TEXT, FORMAT, PATH = "text", "format", "path"
"""The columns of documents that say what is in them and, where there are such, how it is marked up."""
WITH_HEADINGS = ("markdown", "html")
"""Formats of documents whose texts are Markdown: pages are turned into it where they are read."""
DROPPED = ("short", "noise", "repeated")


def chunk_schema(documents: pa.Schema, columns: Mapping[str, str]) -> pa.Schema:
    """Return the schema of chunks of such documents; `columns` maps columns of chunks to those of their documents."""
    return pa.schema(
        [
            ("id", pa.string()),
            ("content", pa.string()),
            *((name, _plain(documents.field(column).type)) for name, column in columns.items()),
            ("section_h1", pa.string()),
            ("section_h2", pa.string()),
            ("section_h3", pa.string()),
            ("chunk_index", pa.int64()),
            ("char_start", pa.int64()),
            ("char_end", pa.int64()),
            ("content_sha256", pa.string()),
        ]
    )


def _plain(type_: pa.DataType) -> pa.DataType:
    return pa.string() if pat.is_large_string(type_) else type_


def chunk_id(place: Sequence[Any], headings: Sequence[str | None], text: str) -> str:
    """Return the UUIDv5 (RFC 9562) of a chunk: the same wherever and whenever it is the same text at the same place.

    `place` has what names its document.
    """
    return str(uuid.uuid5(NAMESPACE, json.dumps([*place, *headings, text], ensure_ascii=False, default=str)))


def alphanumeric_share(text: str) -> float:
    """Return the share of letters and digits among the characters of a text that are not blank; 0 if there are none."""
    visible = [character for character in text if not character.isspace()]
    return sum(character.isalnum() for character in visible) / len(visible) if visible else 0.0


def _is_marked_down(document: Mapping[str, Any]) -> bool:
    return document[FORMAT] in WITH_HEADINGS if FORMAT in document else is_markdown(str(document.get(PATH) or ""))


def chunks_of(
    document: Mapping[str, Any], columns: Mapping[str, str], options: Mapping[str, Any], dropped: Counter[str]
) -> Iterator[dict[str, Any]]:
    """Yield the chunks of a document, in order; they never cross a heading of Markdown.

    `columns` maps columns of chunks to those of the document that they take over, which name it in their ids. What is
    not Markdown, by the document's `format` or else its `path`, is cut as plain text and has no headings.

    A piece that is too short, mostly not letters and digits, or there already under the same headings is left out and
    counted in `dropped` as short, noise or repeated. `char_start` and `char_end` tell where in the document's text a
    chunk comes from.
    """
    place = {name: document[column] for name, column in columns.items()}
    text = document[TEXT] or ""
    if _is_marked_down(document):
        splitter = MarkdownSplitter(options["size"], overlap=options["overlap"])
        cleaned = clean(text)
        found = sections(cleaned.text)
    else:
        splitter = TextSplitter(options["size"], overlap=options["overlap"])
        cleaned = Clean.of(text)
        found = whole(cleaned.text)
    seen: set[str] = set()
    for section in found:
        for offset, content in splitter.chunk_indices(cleaned.text[section.start : section.end]):
            name = chunk_id([*place.values()], section.headings, content)
            if len(content) < options["min_length"]:
                dropped["short"] += 1
            elif alphanumeric_share(content) < options["min_alphanumeric"]:
                dropped["noise"] += 1
            elif name in seen:
                dropped["repeated"] += 1
            else:
                start = section.start + offset
                char_start, char_end = cleaned.span(start, start + len(content))
                yield {
                    "id": name,
                    "content": content,
                    **place,
                    **{f"section_h{level}": title for level, title in enumerate(section.headings, start=1)},
                    "chunk_index": len(seen),
                    "char_start": char_start,
                    "char_end": char_end,
                    "content_sha256": hashlib.sha256(content.encode()).hexdigest(),
                }
                seen.add(name)


def chunk(
    documents: Sequence[Path], chunks: Path, columns: Mapping[str, str], options: Mapping[str, Any], where: str
) -> dict[str, dict[str, int]]:
    """Write the chunks of all documents in some Parquet files to another one; `where` is the file with the options.

    Returns how many chunks of each document were kept, and how many left out for what. Raises RegistryError if no chunk
    is left, if two documents are called alike, and if chunks are to share as much as they hold.
    """
    if options["overlap"] >= options["size"]:
        raise RegistryError(
            f"params.chunks.overlap: {options['overlap']} is not less than size, {options['size']}",
            where=where,
            hint="make it smaller: a tenth of size is usual",
        )
    with explained(documents[0]):
        schema = pq.read_schema(documents[0])
    if missing := [name for name in (TEXT, *columns.values()) if name not in schema.names]:
        hint = f"it has {', '.join(schema.names)}; put params.of and params.columns right in {where}"
        raise RegistryError(f"no column {missing[0]}", where=documents[0], hint=hint)
    read = dict.fromkeys([TEXT, *columns.values(), *({FORMAT, PATH} & {*schema.names})])
    counts: dict[str, dict[str, int]] = {}
    seen: set[tuple[Any, ...]] = set()

    def rows() -> Iterator[dict[str, Any]]:
        for document in (document for file in documents for document in rows_of(file, [*read])):
            place = tuple(document[column] for column in columns.values())
            name = "/".join(map(str, place))
            if place in seen:
                named = ", ".join(columns.values())
                hint = "let params.columns name a column in which they differ, too"
                raise RegistryError(f"two documents have the same {named}: {name}", where=where, hint=hint)
            seen.add(place)
            dropped = Counter(dict.fromkeys(DROPPED, 0))
            found = [*chunks_of(document, columns, options, dropped)]
            counts[str(place) if name in counts else name] = {"chunks": len(found), **dropped}
            yield from found

    with atomic_file(chunks) as partial:
        if not write_rows(rows(), partial, chunk_schema(schema, columns), ROWS):
            raise RegistryError(
                f"empty corpus: none of {len(counts)} documents has a chunk that is long enough",
                where=documents[0],
                hint=f"lower params.chunks.min_length in {where}",
            )
    return counts
