"""Compare ways to cut the READMEs into chunks by what retrieval makes of them: splitters, sizes, precision.

    PYTHONPATH=scripts python benchmarks/chunking.py

Both splitters get the same cleaned texts, section by section. langchain-text-splitters is no part of the environment:
its rows are left out where it is not installed.
"""

import importlib.util
import os
import platform
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from markdown_it import MarkdownIt

from registry.config.load import read_yaml
from registry.embedding.chunks import alphanumeric_share, chunks_of
from registry.embedding.model import Encoder, find_model
from registry.embedding.retrieval import evaluate, ranking, similarities
from registry.formats.markdown import clean, sections

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "data/samples"
PARAMS = read_yaml(ROOT / "config/datasets/opencloudhub-readmes-embeddings.yaml")["params"]
SIZES = (400, 800, 1200)
LANGCHAIN = "langchain_text_splitters"

Split = Callable[[dict[str, str], dict[str, Any]], list[str]]


def semantic(document: dict[str, str], options: dict[str, Any]) -> list[str]:
    """Cut as the dataset is cut."""
    return [chunk["content"] for chunk in chunks_of(document, PARAMS["columns"], options, Counter())]


def langchain(document: dict[str, str], options: dict[str, Any]) -> list[str]:
    """Cut with langchain-text-splitters: by headings, then by what separates Markdown."""
    import langchain_text_splitters as splitters

    headings = splitters.MarkdownHeaderTextSplitter(
        [("#" * level, f"h{level}") for level in (1, 2, 3)], strip_headers=False
    )
    pieces = splitters.RecursiveCharacterTextSplitter.from_language(
        splitters.Language.MARKDOWN, chunk_size=options["size"], chunk_overlap=options["overlap"]
    )
    texts = [piece.page_content for piece in pieces.split_documents(headings.split_text(clean(document["text"]).text))]
    return [text for text in dict.fromkeys(texts) if kept(text, options)]


def recursive(document: dict[str, str], options: dict[str, Any]) -> list[str]:
    """Cut the dataset's own sections with langchain's recursive splitter."""
    import langchain_text_splitters as splitters

    pieces = splitters.RecursiveCharacterTextSplitter.from_language(
        splitters.Language.MARKDOWN, chunk_size=options["size"], chunk_overlap=options["overlap"]
    )
    cleaned = clean(document["text"]).text
    texts = [text for section in sections(cleaned) for text in pieces.split_text(cleaned[section.start : section.end])]
    return [text for text in dict.fromkeys(texts) if kept(text, options)]


def kept(text: str, options: dict[str, Any]) -> bool:
    """Tell whether a chunk passes the filters of the dataset."""
    return len(text) >= options["min_length"] and alphanumeric_share(text) >= options["min_alphanumeric"]


def blocks(text: str, size: int) -> Iterator[str]:
    """Yield the code blocks and tables of a text that fit into a chunk and that the filters would not leave out."""
    lines = text.splitlines(keepends=True)
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("fence", "table_open"):
            block = "".join(lines[slice(*token.map)]).strip()
            if len(block) <= size and kept(block, PARAMS["chunks"]):
                yield block


def documents() -> list[dict[str, str]]:
    """Return the READMEs of the samples."""
    paths = sorted((SAMPLES / "opencloudhub-readmes/HEAD").glob("*/README.md"))
    return [{"repository": path.parent.name, "path": path.name, "text": path.read_bytes().decode()} for path in paths]


def measure(split: Split, options: dict[str, Any], encoder: Encoder, questions: pl.DataFrame) -> dict[str, Any]:
    """Return what one way of cutting gives."""
    found = {document["repository"]: split(document, options) for document in documents()}
    contents = [text for texts in found.values() for text in texts]
    cut = total = 0
    for document in documents():
        for block in blocks(clean(document["text"]).text, options["size"]):
            total += 1
            cut += not any(block in text for text in found[document["repository"]])
    ranked = ranking(similarities(encoder.encode(questions["question"].to_list()), encoder.encode(contents)))
    return {
        "chunks": len(contents),
        "cut": f"{cut} of {total}",
        **evaluate(questions, contents, ranked)["all"],
    }


def main() -> None:
    """Print one row of a Markdown table for each way of cutting."""
    questions = pl.read_csv(next((SAMPLES / "opencloudhub-readmes-rag-evaluation").rglob("*.csv")), infer_schema=False)
    model = find_model(PARAMS["model"])
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{os.cpu_count()} cores, {gib:.0f} GiB, Python {platform.python_version()}, {len(questions)} questions\n")
    print("| splitter | precision | size | chunks | code and tables cut | at 1 | at 5 | at 10 | MRR |")
    print("|---|---|---|---|---|---|---|---|---|")
    splits = [semantic, recursive, langchain] if importlib.util.find_spec(LANGCHAIN) else [semantic]
    for precision in ("float32", "int8"):
        encoder = Encoder(replace(model, precision=precision), threads=0, batch_size=8)
        for split in splits if precision == "float32" else [semantic]:
            for size in SIZES:
                facts = measure(split, PARAMS["chunks"] | {"size": size}, encoder, questions)
                coverage = " | ".join(f"{facts[f'coverage_at_{depth}']:.3f}" for depth in (1, 5, 10))
                print(
                    f"| {split.__name__} | {precision} | {size} | {facts['chunks']} | {facts['cut']} | {coverage} "
                    f"| {facts['mrr']:.3f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
