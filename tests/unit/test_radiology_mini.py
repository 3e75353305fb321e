"""Radiology mini's pictures checked, split and measured."""

import hashlib
import io
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from radiology_rows import GOOD, row, stem_of, tree, unpacked

from analyzing import rule
from pictures import picture
from radiology_mini.analyze import SCHEMA, measure, thumbnails
from radiology_mini.process import PROBLEMS, process, split_of
from radiology_mini.shard import check
from registry.describe.description import describe
from registry.errors import RegistryError
from registry.formats.shards import Shard

SPLITS = ("train", "test")
OPTIONS = {
    "test_ratio": 0.3,
    "jpeg_quality": 90,
    "limits": {"max_bytes": 100_000, "max_pixels": 40_000, "max_side": 400, "max_caption": 1_000},
    "problems": dict.fromkeys(
        ("empty_captions", "empty_files", "oversized", "corrupt"), "fail"
    ),  # The others fail, too.
    "near_duplicates": {"max_distance": 6},
}
DROP = OPTIONS | {"problems": dict.fromkeys(PROBLEMS, "drop")}
KEPT = ("control_characters", "image_tokens", "huge_captions")


def run(folder: Path, rows: list[dict], options: dict = OPTIONS, threads: int = 2) -> tuple[dict[str, list], dict]:
    """Unpack and process rows; return each split's annotations and the report."""
    folder.mkdir(exist_ok=True)
    raw = unpacked(folder, rows)
    process(raw, folder / "processed", folder / "cleaning.json", prompt="Look.", options=options, threads=threads)
    splits = {split: json.loads((folder / f"processed/{split}/annotations.json").read_text()) for split in SPLITS}
    return splits, json.loads((folder / "cleaning.json").read_text())


def test_annotations_are_conversations_about_the_pictures_beside_them(tmp_path):
    splits, report = run(tmp_path, GOOD)
    expected = {split: [] for split in SPLITS}
    for entry in GOOD:
        stem = stem_of(entry["image"]["bytes"])
        conversation = [{"from": "human", "value": "<image>\nLook."}, {"from": "gpt", "value": entry["caption"]}]
        expected[split_of(stem, 0.3)].append({"image": f"{stem}.jpg", "conversations": conversation})
    assert splits == expected
    for split in SPLITS:
        images = tmp_path / "processed" / split / "images"
        assert {path.name for path in images.iterdir()} == {entry["image"] for entry in splits[split]}
    written = {path.name: path.read_bytes() for path in tmp_path.glob("processed/*/images/*")}
    assert written == {f"{stem_of(r['image']['bytes'])}.jpg": r["image"]["bytes"] for r in GOOD}
    assert report["counts"] == {
        "rows": 12,
        "pictures": 12,
        "converted_pictures": 0,
        "further_captions": 0,
        "found_rows": dict.fromkeys(PROBLEMS, 0),
        "dropped_rows": dict.fromkeys(PROBLEMS, 0),
        "near_duplicates": {"pairs": 0, "across_splits": 0},
    }


BAD = {
    "empty_captions": [
        row(picture(50), None),
        row(picture(51), ""),
        row(picture(52), " \n\t"),
        row(picture(57), "\u200b"),
    ],
    "control_characters": [row(picture(58), "a\0b"), row(picture(59), "a\x1b[31mb")],
    "image_tokens": [row(picture(60), "left <image>, right")],
    "huge_captions": [row(picture(61), "x" * 1_001)],
    "empty_files": [row(b""), row(None)],
    "oversized": [row(picture(53, size=(401, 10))), row(picture(54, size=(201, 200))), row(b"\xff\xd8\xff" * 40_000)],
    "corrupt": [row(b"nonsense"), row(picture(55)[:200]), row(picture(56, "PNG")[:-60])],
}


@pytest.mark.parametrize("problem", BAD)
def test_fail_lists_what_is_wrong_and_leaves_nothing(tmp_path, problem):
    options = DROP | {"problems": DROP["problems"] | {problem: "fail"}}
    with pytest.raises(RegistryError) as caught:
        run(tmp_path, [*GOOD, *sum(BAD.values(), [])], options)
    first = 12 + sum(len(BAD[other]) for other in list(BAD)[: list(BAD).index(problem)])
    assert f"{problem}: {len(BAD[problem])}\n" in str(caught.value)
    assert all(f"row {first + i}" in str(caught.value) for i in range(len(BAD[problem])))
    assert not any(other in str(caught.value) for other in BAD if other != problem)
    assert not (tmp_path / "processed").exists()
    assert not (tmp_path / "cleaning.json").exists()
    assert not list(tmp_path.glob(".*"))


def test_fail_lists_only_the_first_of_many(tmp_path):
    with pytest.raises(RegistryError, match="empty_captions: 12\n") as caught:
        run(tmp_path, [entry | {"caption": ""} for entry in GOOD])
    assert "row 4\n      and 7 more" in str(caught.value)
    assert "row 5" not in str(caught.value)


def test_drop_counts_what_is_wrong_and_changes_nothing_else(tmp_path):
    good, _ = run(tmp_path / "good", GOOD)
    mixed, report = run(tmp_path / "mixed", [*BAD["corrupt"], *GOOD, *sum(BAD.values(), [])], DROP)
    assert mixed == good
    assert tree(tmp_path / "mixed/processed") == tree(tmp_path / "good/processed")
    dropped = {problem: len(rows) for problem, rows in BAD.items()} | {"corrupt": 6}
    assert report["counts"]["dropped_rows"] == report["counts"]["found_rows"] == dict.fromkeys(PROBLEMS, 0) | dropped
    assert report["counts"]["rows"] == 12 + sum(dropped.values())
    assert report["counts"]["pictures"] == 12


def test_captions_are_kept_as_they_are_and_counted_when_the_configuration_says_so(tmp_path):
    options = OPTIONS | {"problems": OPTIONS["problems"] | dict.fromkeys(KEPT, "keep")}
    odd = [entry for problem in KEPT for entry in BAD[problem]]
    splits, report = run(tmp_path, [*GOOD, *odd], options)
    captions = {entry["conversations"][1]["value"] for split in SPLITS for entry in splits[split]}
    assert captions == {entry["caption"] for entry in [*GOOD, *odd]}
    assert {problem: report["counts"]["found_rows"][problem] for problem in KEPT} == {p: len(BAD[p]) for p in KEPT}
    assert not any(report["counts"]["dropped_rows"].values())


def test_a_prompt_that_holds_the_token_for_the_picture_is_refused(tmp_path):
    raw = unpacked(tmp_path, GOOD)
    with pytest.raises(RegistryError, match="the prompt holds <image>"):
        process(raw, tmp_path / "processed", tmp_path / "c.json", prompt="See <image>.", options=OPTIONS)


@pytest.mark.parametrize(("policy", "level"), [(None, 8), ("full", 8), ("observed", 128)])
def test_narrow_16_bit_grey_is_counted_and_scaled_as_the_configuration_says(tmp_path, policy, level):
    narrow = narrow_picture()
    options = OPTIONS | {"problems": OPTIONS["problems"] | ({"narrow": policy} if policy else {})}
    splits, report = run(tmp_path, [*GOOD, row(narrow, "narrow")], options)
    (name,) = (e["image"] for s in SPLITS for e in splits[s] if e["conversations"][1]["value"] == "narrow")
    (path,) = tmp_path.glob(f"processed/*/images/{name}")
    with Image.open(path) as image:
        assert image.getpixel((0, 0)) == (level,) * 3
    assert report["counts"]["found_rows"]["narrow"] == 1
    assert report["counts"]["dropped_rows"]["narrow"] == 0


@pytest.mark.parametrize("policy", ["fail", "drop"])
def test_narrow_16_bit_grey_can_be_refused(tmp_path, policy):
    options = OPTIONS | {"problems": OPTIONS["problems"] | {"narrow": policy}}
    with pytest.raises(RegistryError, match="narrow: 1\n") if policy == "fail" else nullcontext():
        _, report = run(tmp_path, [*GOOD, row(narrow_picture())], options)
        assert report["counts"]["dropped_rows"]["narrow"] == 1


def narrow_picture() -> bytes:
    """A 16-bit PNG of 12-bit grey in the middle of its range."""
    buffer = io.BytesIO()
    pixels = np.full((40, 60), 2056, dtype=np.uint16)
    pixels[20:] = 4095
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def test_dropping_everything_is_an_error(tmp_path):
    with pytest.raises(RegistryError, match="no picture is left for train"):
        run(tmp_path, BAD["corrupt"], DROP)


def test_a_picture_with_two_captions_is_one_file_in_one_split(tmp_path):
    splits, report = run(tmp_path, GOOD + [entry | {"caption": "another"} for entry in GOOD])
    for split in SPLITS:
        names = [entry["image"] for entry in splits[split]]
        assert sorted(names) == sorted(2 * list(dict.fromkeys(names)))
    assert not {e["image"] for e in splits["train"]} & {e["image"] for e in splits["test"]}
    assert report["counts"]["further_captions"] == report["counts"]["pictures"] == 12
    assert len(list(tmp_path.glob("processed/*/images/*"))) == 12


def test_near_duplicates_are_counted_within_and_across_splits(tmp_path):
    copies = [row(picture(seed, kind)) for seed in range(6) for kind in ("PNG", "BMP")]
    splits, report = run(tmp_path, GOOD + copies)
    homes = {entry["image"]: split for split in SPLITS for entry in splits[split]}
    pairs = [pair["pictures"] for pair in report["near_duplicates"]]
    families = [[f"{stem_of(picture(seed, kind))}.jpg" for kind in ("JPEG", "PNG", "BMP")] for seed in range(6)]
    assert sorted(map(sorted, pairs)) == sorted(
        sorted(pair) for a, b, c in families for pair in ((a, b), (a, c), (b, c))
    )
    across = sum(homes[a] != homes[b] for a, b in pairs)
    assert 0 < across < 18
    assert report["counts"]["near_duplicates"] == {"pairs": 18, "across_splits": across}
    assert report["counts"]["converted_pictures"] == 12


def test_threads_do_not_change_a_byte(tmp_path):
    rows = [*GOOD, *BAD["corrupt"], *(row(picture(seed, "PNG", "RGBA")) for seed in range(30, 40))]
    for threads in (1, 2, 7):
        run(tmp_path / str(threads), rows, DROP, threads)
    one, *others = (tree(tmp_path / str(threads)) for threads in (1, 2, 7))
    assert all(other == one for other in others)


@pytest.mark.parametrize("of", [2, 7, 50])
def test_the_number_of_shards_does_not_change_a_byte(tmp_path, of):
    rows = GOOD + [entry for entries in BAD.values() for entry in entries] + GOOD[:3]
    run(tmp_path / "whole", rows, DROP)
    shared = tmp_path / "shared"
    shared.mkdir()
    raw = unpacked(shared, rows)
    parts = [tmp_path / "parts" / str(number) for number in range(of)]
    for number, part in enumerate(parts):
        check(raw, part, Shard(number, of), options=DROP)
    process(raw, shared / "processed", shared / "cleaning.json", prompt="Look.", options=DROP, parts=parts)
    assert tree(shared) == tree(tmp_path / "whole")


STEMS = st.text("0123456789abcdef", min_size=16, max_size=16)


@given(STEMS, st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_larger_ratio_only_moves_pictures_into_test(stem, first, second):
    low, high = sorted((first, second))
    assert (split_of(stem, low), split_of(stem, high)) != ("test", "train")


@given(st.sampled_from([0.1, 0.2, 0.5]), st.integers(0, 10**6))
def test_the_ratio_is_roughly_kept(ratio, seed):
    stems = [stem_of(f"{seed}-{number}".encode()) for number in range(2_000)]
    share = sum(split_of(stem, ratio) == "test" for stem in stems) / len(stems)
    assert abs(share - ratio) < 6 * (ratio * (1 - ratio) / len(stems)) ** 0.5


def test_the_smallest_hashes_are_split_like_all_others():
    stems = sorted(stem_of(str(number).encode()) for number in range(20_000))[:1_000]
    assert 60 < sum(split_of(stem, 0.1) == "test" for stem in stems) < 140


def test_adding_pictures_moves_none(tmp_path):
    before, _ = run(tmp_path / "before", GOOD)
    after, _ = run(tmp_path / "after", [row(picture(seed)) for seed in range(60, 70)] + GOOD)
    for split in SPLITS:
        assert [entry for entry in after[split] if entry in before[split]] == before[split]


def analyzed(folder: Path, rows: list[dict], expected: dict[str, Any] | None = None) -> list[Path]:
    """Run everything on rows, and return the pictures that were described."""
    _, cleaned = run(folder, rows)
    prompt = {"prompt_name": "p", "prompt_version": 1, "prompt_uri": "u", "prompt_text": "Look."}
    columns = {
        "image": {"dtype": "binary"},
        "width": {"dtype": "int64", "min": 1},
        "height": {"dtype": "int64"},
        "mode": {"dtype": "string", "values": ["RGB"]},
        "prompt": {"dtype": "string", "min_length": 1},
        "caption": {"dtype": "string", "min_length": 1},
    }
    dataset = {
        "name": "radiology-mini",
        "source": "samples",
        "about": {"title": "t", "description": "d", "license": "l"},
        "contract": {"columns": columns, "rows": {"samples": expected} if expected else {}, "disjoint": True},
    }
    with describe(rule(folder, dataset, folder / "processed"), SCHEMA) as about:
        return measure(about, folder / "raw", folder / "processed", SPLITS, prompt, cleaned["counts"])


def input_id(data: bytes) -> bytes:
    return hashlib.sha256(b"x" + len(data).to_bytes(8, "little") + data).digest()[:16]


def test_metadata_and_manifest(tmp_path, monkeypatch):
    monkeypatch.setattr("radiology_mini.analyze.ROWS", 3)
    named = row(picture(20, "PNG", size=(100, 50)), "the long one, with an id", "ROCO_7")
    pictures = analyzed(tmp_path, [*GOOD, named, named | {"caption": "x"}, GOOD[3] | {"caption": "another"}])

    rows = pq.read_table(tmp_path / "manifest.parquet").to_pylist()
    stems = [stem_of(entry["image"]["bytes"]) for entry in GOOD]
    assert sorted(r["key"] for r in rows) == sorted([*stems, f"{stems[3]}#2", "ROCO_7", "ROCO_7#2"])
    twins = {r["key"]: (r["input_id"], r["sample_id"], r["split"]) for r in rows}
    assert twins[stems[3]][0] == twins[f"{stems[3]}#2"][0] == input_id(GOOD[3]["image"]["bytes"])
    assert twins["ROCO_7"][0] == input_id(named["image"]["bytes"]), "the input is the source, not what became of it"
    assert twins[stems[3]][1] != twins[f"{stems[3]}#2"][1]

    metadata = json.loads((tmp_path / "metadata.json").read_text())
    counts = {split: facts["num_samples"] for split, facts in metadata["splits"].items()}
    assert sum(counts.values()) == 15
    assert metadata["prompt"]["prompt_text"] == "Look."
    assert metadata["summary"] == json.loads((tmp_path / "cleaning.json").read_text())["counts"]
    home = twins["ROCO_7"][2]
    assert metadata["metrics"][home]["caption_length_max"] == len(["the", "long", "one,", "with", "an", "id"])
    assert metadata["metrics"][home]["caption_length_min"] == 1
    assert metadata["metrics"][home]["image_width_mean"] == pytest.approx(60 + 2 * 40 / counts[home])
    assert metadata["metrics"][home]["image_height_mean"] == pytest.approx(40 + 2 * 10 / counts[home])
    assert len(pictures) == len({*pictures}) == 13
    assert [len(row) for row in thumbnails(pictures)] == [6, 6, 1, 0]


def test_a_broken_contract_leaves_no_manifest(tmp_path):
    with pytest.raises(RegistryError, match="train: rows: expected 99"):
        analyzed(tmp_path, GOOD, expected={"train": 99, "test": {"min": 1}})
    assert not {"manifest.parquet", "metadata.json", "provenance.json"} & {path.name for path in tmp_path.iterdir()}
