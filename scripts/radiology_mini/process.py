"""Check every picture, make it an upright RGB JPEG, split pictures into train and test, and write the annotations."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from registry.errors import RegistryError
from registry.files import SNAKEMAKE_TIMESTAMP, link_or_copy, output_folder, write_json
from registry.formats.images import SCALES, Limits, UnusableError, near_pairs, read_picture
from registry.formats.texts import CONTROLS, is_blank
from registry.workflow.job import job

SPLITS = ("train", "test")
CAPTION_PROBLEMS = ("empty_captions", "control_characters", "image_tokens", "huge_captions")
PROBLEMS = (*CAPTION_PROBLEMS, "empty_files", "oversized", "corrupt", "narrow")
POLICIES = {"control_characters": "fail", "image_tokens": "fail", "huge_captions": "fail", "narrow": "full"}
"""Of problems that the configuration need not name."""
MAX_CAPTION = 100_000
"""Characters that a caption may have where the configuration does not say."""
IMAGE = "<image>"
"""Stands for the picture in a conversation; a trainer takes each for one."""
CHECKED = "checked.json"
"""In a part, what was found of its pictures."""
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
    narrow: bool = False
    perceptual_hash: int = 0
    problem: str = ""
    detail: str = ""


class Captions(NamedTuple):
    """The rows of captions.json, the problems that the caption of each has, and what is left without those.

    `usable` are the rows whose captions have no problem but such as may stay, `pictures` the names of their pictures,
    each once.
    """

    rows: list[dict[str, Any]]
    problems: list[list[str]]
    usable: list[dict[str, Any]]
    pictures: list[str]


def split_of(stem: str, test_ratio: float) -> str:
    """Return test for about `test_ratio` of all pictures, else train, by a hash of the hash that names the picture."""
    draw = int.from_bytes(hashlib.sha256(stem.encode()).digest()[:8], "big")
    return "test" if draw < test_ratio * 2**64 else "train"


def check_pictures(
    images: Path, names: list[str], folder: Path, options: Mapping[str, Any], threads: int
) -> dict[str, Checked]:
    """Return {name in raw/images: what became of it}; good pictures are in `<folder>/<split>/images` afterwards.

    `folder` is empty before.
    """
    limits = Limits(**{name: options["limits"][name] for name in ("max_bytes", "max_pixels", "max_side")})
    narrow = policies_of(options)["narrow"]
    scale = narrow if narrow in SCALES else None

    def check(name: str) -> Checked:
        stem = Path(name).stem
        target, split = f"{stem}.jpg", split_of(stem, options["test_ratio"])
        try:
            picture = read_picture((images / name).read_bytes(), limits, options["jpeg_quality"], scale)
        except UnusableError as error:
            return Checked(target, split, problem=error.problem, detail=str(error))
        (folder / split / "images" / target).write_bytes(picture.jpeg)
        return Checked(
            target,
            split,
            converted=picture.converted,
            narrow=picture.narrow,
            perceptual_hash=picture.perceptual_hash,
        )

    for split in SPLITS:
        (folder / split / "images").mkdir(parents=True)
    with ThreadPoolExecutor(threads) as pool:
        return dict(zip(names, pool.map(check, names), strict=True))


def take_parts(parts: Sequence[Path], folder: Path) -> dict[str, Checked]:
    """Return what `check_pictures` found for all parts, and bring what it wrote for them into `folder`."""
    checked: dict[str, Checked] = {}
    for part in parts:
        found = json.loads((part / CHECKED).read_text(encoding="utf-8"))
        checked |= {name: Checked(**facts) for name, facts in found.items()}
        ignored = shutil.ignore_patterns(CHECKED, SNAKEMAKE_TIMESTAMP)
        shutil.copytree(part, folder, ignore=ignored, copy_function=link_or_copy, dirs_exist_ok=True)
    return checked


def policies_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Return what to do with each kind of problem."""
    return POLICIES | options["problems"]


def caption_problems(caption: str | None, max_caption: int) -> list[str]:
    """Return the kinds of problem that a caption has, of CAPTION_PROBLEMS."""
    text = caption or ""
    if is_blank(text):
        return ["empty_captions"]
    found = {
        "control_characters": CONTROLS.search(text),
        "image_tokens": IMAGE in text,
        "huge_captions": len(text) > max_caption,
    }
    return [problem for problem, there in found.items() if there]


def read_captions(raw: Path, options: Mapping[str, Any]) -> Captions:
    """Read captions.json, and judge each caption."""
    rows = json.loads((raw / "captions.json").read_text(encoding="utf-8"))
    policies, max_caption = policies_of(options), options["limits"].get("max_caption", MAX_CAPTION)
    problems = [caption_problems(row["caption"], max_caption) for row in rows]
    usable = [
        row for row, its in zip(rows, problems, strict=True) if all(policies[problem] == "keep" for problem in its)
    ]
    return Captions(rows, problems, usable, list(dict.fromkeys(row["image"] for row in usable)))


def find_problems(captions: Captions, checked: Mapping[str, Checked]) -> dict[str, list[str]]:
    """Return, for each kind of problem, the rows that have it, in words. Pictures that were not checked have none."""
    found: dict[str, list[str]] = {problem: [] for problem in PROBLEMS}
    for position, (row, problems) in enumerate(zip(captions.rows, captions.problems, strict=True)):
        for problem in problems:
            found[problem].append(f"row {position}")
        result = checked.get(row["image"])
        if result and result.problem:
            found[result.problem].append(f"row {position}, {row['image']}: {result.detail}")
        elif result and result.narrow:
            found["narrow"].append(f"row {position}, {row['image']}")
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
        hint="fix the source, or change params.problems in config/datasets/radiology-mini.yaml",
    )


def similar(pictures: list[Checked], max_distance: int) -> dict[str, Any]:
    """Return how many pairs look alike, how many of them lie across the splits, and the first pairs."""
    hashes = np.array([checked.perceptual_hash for checked in pictures], dtype=np.uint64)
    splits = np.array([checked.split for checked in pictures])
    report: dict[str, Any] = {"pairs": 0, "across_splits": 0, "first": []}
    for i, j, distances in near_pairs(hashes, max_distance):
        report["pairs"] += len(i)
        report["across_splits"] += int((splits[i] != splits[j]).sum())
        left = LISTED - len(report["first"])
        for a, b, distance in zip(i[:left], j[:left], distances[:left], strict=True):
            report["first"].append({"pictures": [pictures[a].name, pictures[b].name], "distance": int(distance)})
    return report


def annotations_of(rows: list[dict[str, Any]], checked: Mapping[str, Checked], prompt: str) -> dict[str, list]:
    """Return each split's annotations, in the order of `rows`, for those whose picture is good."""
    annotations: dict[str, list] = {split: [] for split in SPLITS}
    for row in rows:
        result = checked[row["image"]]
        if not result.problem:
            conversation = [
                {"from": "human", "value": f"{IMAGE}\n{prompt}"},
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
    raw: Path,
    folder: Path,
    cleaning: Path,
    *,
    prompt: str,
    options: Mapping[str, Any],
    threads: int = 1,
    parts: Sequence[Path] = (),
) -> None:
    """Write `<folder>/<split>/images/*.jpg` and `<folder>/<split>/annotations.json`, and the report of what was found.

    A picture's problem counts once for every caption it has. Pictures are checked here, on so many `threads`, unless
    that was done in `parts`; the result depends on neither. RegistryError for problems whose policy is fail, if a split
    stays empty, and for a prompt that holds the token for the picture.
    """
    if IMAGE in prompt:
        raise RegistryError(
            f"the prompt holds {IMAGE}, which is added to it", where="radiology-mini", hint="take it out"
        )
    policies, captions = policies_of(options), read_captions(raw, options)
    with output_folder(folder) as partial:
        if parts:
            checked = take_parts(parts, partial)
        else:
            checked = check_pictures(raw / "images", captions.pictures, partial, options, threads)
        found = find_problems(captions, checked)
        apply_policies(found, policies)
        annotations = annotations_of(captions.usable, checked, prompt)
        for split, entries in annotations.items():
            write_json(partial / split / "annotations.json", entries)
    good = [result for result in checked.values() if not result.problem]
    alike = similar(good, options["near_duplicates"]["max_distance"])
    counts = {
        "rows": len(captions.rows),
        "pictures": len(good),
        "converted_pictures": sum(result.converted for result in good),
        "further_captions": sum(map(len, annotations.values())) - len(good),
        "found_rows": {problem: len(places) for problem, places in found.items()},
        "dropped_rows": {
            problem: len(places) if policies[problem] == "drop" else 0 for problem, places in found.items()
        },
        "near_duplicates": {"pairs": alike["pairs"], "across_splits": alike["across_splits"]},
    }
    write_json(cleaning, {"counts": counts, "found": found, "near_duplicates": alike["first"]})


if __name__ == "__main__":
    with job(snakemake):
        process(
            Path(snakemake.input.captions).parent,
            Path(snakemake.output.folder),
            Path(snakemake.output.cleaning),
            prompt=json.loads(Path(snakemake.input.prompt).read_text(encoding="utf-8"))["prompt_text"],
            options=snakemake.params.options,
            threads=snakemake.threads,
            parts=[Path(part) for part in snakemake.input.parts],
        )
