"""The list of the committed samples, data/samples/SHA256SUMS: write it, and compare it with what they are."""

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from registry.config.load import SAMPLES, sample_checksums, source_name
from registry.files import atomic_file, data_files, sha256_of
from registry.formats.members import is_hidden
from registry.sources.readmes import excluded, included
from registry.sources.stream import batch_files, is_of_stream

SUM = len(f"{'0' * 64}  ")
"""Characters of a line of SHA256SUMS before the file's name."""


def list_samples(dataset: str, samples: Path) -> Path:
    """Write what is in the folder of a dataset's samples into SHA256SUMS, in place of what it said; return its path.

    Its lines are in the order of folders and files.
    """
    sums = samples / "SHA256SUMS"
    lines = sums.read_text(encoding="utf-8").splitlines() if sums.is_file() else []
    lines = [line for line in lines if line.strip() and not line[SUM:].startswith(f"{dataset}/")]
    lines += [f"{sha256_of(path)}  {path.relative_to(samples).as_posix()}" for path in _files(samples / dataset)]
    with atomic_file(sums) as partial:
        text = "".join(f"{line}\n" for line in sorted(lines, key=lambda line: line[SUM:].split("/")))
        partial.write_text(text, encoding="utf-8")
    return sums


def edited_samples(dataset: Mapping[str, Any], root: Path = Path()) -> dict[str, str]:
    """Return {path from the root: how to accept it} of a dataset's samples that are not what SHA256SUMS says.

    A README that it does not list is one of them, unless its repository is excluded. Nothing where samples are not the
    dataset's source. Raises RegistryError for a SHA256SUMS that cannot be read.
    """
    sources = dataset.get("sources", {})
    if dataset["source"] != "samples" or not (sources.keys() & {"files", "github"} or is_of_stream(dataset)):
        return {}
    folder, samples = dataset["name"], root / SAMPLES
    if is_of_stream(dataset):
        used = [root / file for file in batch_files(dataset, root)]
    elif "files" in sources:
        used = [file for source in sources["files"] for file in _files(samples / folder / source_name(source))]
    else:
        found = {path.parent.name: path for path in sorted((samples / folder / "HEAD").glob("*/README.md"))}
        used = [found[name] for name in included(found, excluded(dataset))]
    listed = sample_checksums(folder, root)
    here = {path.relative_to(samples).as_posix(): path for path in used if path.is_file()}
    edited = [file for file, path in here.items() if listed.get(file) != sha256_of(path)]
    return {f"{SAMPLES}/{file}": _how_to_accept(edited) for file in edited}


def _files(path: Path) -> list[Path]:
    """Return a file, or those below a folder that are not hidden."""
    if not path.is_dir():
        return [path]
    return [file for file in data_files(path) if not is_hidden(file.relative_to(path).as_posix())]


def _how_to_accept(files: Sequence[str]) -> str:
    """Return the commands that put the hashes of files below data/samples/ into SHA256SUMS, or bring them back."""
    lines = " ".join(f"-e {shlex.quote(f'[ *]{re.escape(file)}$')}" for file in files)
    those, paths = shlex.join(files), shlex.join(f"{SAMPLES}/{file}" for file in files)
    accept = f"(cd {SAMPLES} && {{ grep -v {lines} SHA256SUMS; sha256sum {those}; }} > sums && mv sums SHA256SUMS)"
    it = "it was" if len(files) == 1 else "they were"
    return f"if {it} meant to change, {accept} accepts it; else git restore {paths}"
