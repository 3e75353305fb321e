"""Check every picture, make it an upright RGB JPEG, split pictures into train and test, and write the annotations."""

import hashlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from registry.errors import RegistryError
from registry.files import output_folder, write_json
from registry.formats.images import Limits, UnusableError, near_pairs, read_picture
from registry.workflow.job import job

SPLITS = ("train", "test")
PROBLEMS = ("empty_captions", "empty_files", "oversized", "corrupt")
EXAMPLES = 5
"""Problems of a kind that an error lists."""
LISTED = 100
"""Pairs of similar pictures that the report lists; all are counted."""


@dataclass(frozen=True)
class Checked:
    """What became of a picture: its JPEG's name and split, and what was found of it or the problem that it has."""

    name: str
    split: str
    converted: bool = False
    perceptual_hash: int = 0
    problem: str = ""
    detail: str = ""


def split_of(stem: str, test_ratio: float) -> str:
    """Return test for about `test_ratio` of all pictures, else train, by a hash of the hash that names the picture."""
    draw = int.from_bytes(hashlib.sha256(stem.encode()).digest()[:8], "big")
    return "test" if draw < test_ratio * 2**64 else "train"


def check_pictures(
    images: Path, names: list[str], folder: Path, options: Mapping[str, Any], threads: int
) -> dict[str, Checked]:
    """Return {name in raw/images: what became of it}; good pictures are in `<folder>/<split>/images` afterwards."""
    limits = Limits(**options["limits"])

    def check(name: str) -> Checked:
        stem = Path(name).stem
        target, split = f"{stem}.jpg", split_of(stem, options["test_ratio"])
        try:
            picture = read_picture((images / name).read_bytes(), limits, options["jpeg_quality"])
        except UnusableError as error:
            return Checked(target, split, problem=error.problem, detail=str(error))
        (folder / split / "images" / target).write_bytes(picture.jpeg)
        return Checked(target, split, converted=picture.converted, perceptual_hash=picture.perceptual_hash)

    with ThreadPoolExecutor(threads) as pool:
        return dict(zip(names, pool.map(check, names), strict=True))


def has_caption(row: Mapping[str, Any]) -> bool:
    """Tell whether a row's caption is there and not blank."""
    return bool((row["caption"] or "").strip())


def find_problems(rows: list[dict[str, Any]], checked: Mapping[str, Checked]) -> dict[str, list[str]]:
    """Return, for each kind of problem, the rows that have it, in words."""
    found: dict[str, list[str]] = {problem: [] for problem in PROBLEMS}
    for position, row in enumerate(rows):
        if not has_caption(row):
            found["empty_captions"].append(f"row {position}")
        elif (result := checked[row["image"]]).problem:
            found[result.problem].append(f"row {position}, {row['image']}: {result.detail}")
    return found


def apply_policies(found: Mapping[str, list[str]], policies: Mapping[str, str]) -> None:
    """Raise one RegistryError that lists the problems found whose policy is fail."""
    fatal = {problem: places for problem, places in found.items() if places and policies[problem] == "fail"}
    if not fatal:
        return
    lines = []
    for problem, places in fatal.items():
        more = f"\n      and {len(places) - EXAMPLES:,} more" if len(places) > EXAMPLES else ""
        lines.append(f"    {problem}: {len(places):,}\n      " + "\n      ".join(places[:EXAMPLES]) + more)
    raise RegistryError(
        "these pictures and captions cannot be used:\n" + "\n".join(lines),
        where="radiology-mini",
        hint="fix the source, or set params.problems to drop in config/datasets/radiology-mini.yaml",
    )


def similar(pictures: list[Checked], max_distance: int) -> dict[str, Any]:
    """Return how many pairs look alike, how many of them lie across the splits, and the first pairs."""
    hashes = np.array([checked.perceptual_hash for checked in pictures], dtype=np.uint64)
    splits = np.array([checked.split for checked in pictures])
    report: dict[str, Any] = {"pairs": 0, "across_splits": 0, "first": []}
    for i, j, distances in near_pairs(hashes, max_distance):
        report["pairs"] += len(i)
        report["across_splits"] += int((splits[i] != splits[j]).sum())
        for a, b, distance in list(zip(i, j, distances, strict=True))[: LISTED - len(report["first"])]:
            report["first"].append({"pictures": [pictures[a].name, pictures[b].name], "distance": int(distance)})
    return report


def annotations_of(rows: list[dict[str, Any]], checked: Mapping[str, Checked], prompt: str) -> dict[str, list]:
    """Return each split's annotations, in the order of `rows`, for those whose picture is good."""
    annotations: dict[str, list] = {split: [] for split in SPLITS}
    for row in rows:
        result = checked[row["image"]]
        if not result.problem:
            conversation = [
                {"from": "human", "value": f"<image>\n{prompt}"},
                {"from": "gpt", "value": row["caption"]},
            ]
            annotations[result.split].append({"image": result.name, "conversations": conversation})
    for split, entries in annotations.items():
        if not entries:
            raise RegistryError(
                f"no picture is left for {split}", where="radiology-mini", hint="fix the source, or its test_ratio"
            )
    return annotations


def process(
    raw: Path, folder: Path, cleaning: Path, *, prompt: str, options: Mapping[str, Any], threads: int = 1
) -> None:
    """Write `<folder>/<split>/images/*.jpg` and `<folder>/<split>/annotations.json`, and the report of what was found.

    A picture's problem counts once for every caption it has. RegistryError for problems whose policy is fail, and if a
    split stays empty. The result does not depend on `threads`.
    """
    rows = json.loads((raw / "captions.json").read_text(encoding="utf-8"))
    captioned = [row for row in rows if has_caption(row)]
    names = list(dict.fromkeys(row["image"] for row in captioned))
    with output_folder(folder) as partial:
        for split in SPLITS:
            (partial / split / "images").mkdir(parents=True)
        checked = check_pictures(raw / "images", names, partial, options, threads)
        found = find_problems(rows, checked)
        apply_policies(found, options["problems"])
        annotations = annotations_of(captioned, checked, prompt)
        for split, entries in annotations.items():
            write_json(partial / split / "annotations.json", entries)
    good = [result for result in checked.values() if not result.problem]
    alike = similar(good, options["near_duplicates"]["max_distance"])
    counts = {
        "rows": len(rows),
        "pictures": len(good),
        "converted_pictures": sum(result.converted for result in good),
        "further_captions": sum(map(len, annotations.values())) - len(good),
        "dropped_rows": {problem: len(places) for problem, places in found.items()},
        "near_duplicates": {"pairs": alike["pairs"], "across_splits": alike["across_splits"]},
    }
    write_json(cleaning, {"counts": counts, "dropped": found, "near_duplicates": alike["first"]})


if __name__ == "__main__":
    with job(snakemake):
        process(
            Path(snakemake.input.captions).parent,
            Path(snakemake.output.folder),
            Path(snakemake.output.cleaning),
            prompt=json.loads(Path(snakemake.input.prompt).read_text(encoding="utf-8"))["prompt_text"],
            options=snakemake.params.options,
            threads=snakemake.threads,
        )
