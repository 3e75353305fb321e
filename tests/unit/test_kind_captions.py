"""Pictures with captions by configuration alone: where captions are from, and the conversations that they become."""

import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pictures import picture, spoiled, zipped
from radiology_mini.download import unpack
from radiology_mini.process import process
from registry.config.schema import breaches
from registry.errors import RegistryError
from registry.kinds.captions import POLICIES, read
from registry.kinds.columns import arrow_schema
from registry.kinds.rows import Cleaning
from registry.sources.subsample import Subsample
from support import ROOT

SCHEMA = ROOT / "scripts" / "registry" / "kinds" / "captions.schema.yaml"
SAMPLE = next((ROOT / "data" / "samples" / "radiology-mini").rglob("*.parquet"))
RADIOLOGY = ROOT / "config" / "datasets" / "radiology-mini.yaml"
CONTRACT = {"image": {"dtype": "binary"}, "caption": {"dtype": "string"}}
MESSAGES = {"list": {"struct": {"role": {"values": ["user", "assistant"]}, "content": {"min_length": 1}}}}
CONVERSATIONS = {"list": {"struct": {"from": {"values": ["human", "gpt"]}, "value": {"min_length": 1}}}}
BLUE, RED = picture(0), picture(1)


def cleaned(files, contract=CONTRACT, prompt="What is this?", **params):
    """Return the rows that are left, with their splits and keys, and what was found."""
    assert not breaches(params, SCHEMA)
    found = Cleaning(POLICIES | params.get("problems", {}))
    rows = [
        its.samples.with_columns(its.splits.alias("split"), its.keys.alias("key"))
        for its in found.clean(read(files, contract, params, prompt))
    ]
    found.check("scans")
    return pl.concat(rows, how="vertical_relaxed"), found.report()


def of(tmp_path, members: dict[str, bytes], contract=CONTRACT, prompt="What is this?", **params):
    (tmp_path / "scans.zip").write_bytes(zipped(members))
    return cleaned({"scans.zip": tmp_path / "scans.zip"}, contract, prompt, **params)


def test_texts_beside_pictures_are_their_captions(tmp_path):
    members = {
        "a/1.jpg": BLUE,
        "a/1.txt": "\ufeffEine Lunge\r\n".encode(),
        "b/1.jpg": RED,
        "b/1.txt": b"a knee\nfrom below",
        "b/1.xml": b"<a/>",
    }
    rows, report = of(tmp_path, members)
    assert rows.select("image", "caption").rows() == [(BLUE, "Eine Lunge"), (RED, "a knee\nfrom below")]
    assert rows["key"].to_list() == ["scans.zip:a/1.jpg", "scans.zip:b/1.jpg"]
    assert report["counts"]["rows"] == 2
    assert report["counts"]["other_files"] == 1


def test_captions_become_conversations_in_both_spellings(tmp_path):
    contract = {
        "image": {"dtype": "binary"},
        "messages": MESSAGES,
        "conversations": CONVERSATIONS,
        "prompt": {"dtype": "string"},
    }
    rows, _ = of(tmp_path, {"1.jpg": BLUE, "1.txt": b"a lung"}, contract)
    assert rows.columns[:4] == [*contract]
    assert rows["messages"].to_list() == [
        [{"role": "user", "content": "<image>\nWhat is this?"}, {"role": "assistant", "content": "a lung"}]
    ]
    assert rows["conversations"].to_list() == [
        [{"from": "human", "value": "<image>\nWhat is this?"}, {"from": "gpt", "value": "a lung"}]
    ]
    assert rows["prompt"].to_list() == ["What is this?"]
    made = rows.select([*contract]).to_arrow().cast(arrow_schema(contract))
    assert pa.types.is_list(made.schema.field("messages").type)


def test_a_part_of_the_pictures_is_taken_with_its_texts_and_no_other_is_read(tmp_path):
    pictures = {f"{number:02}": picture(number) for number in range(30)}
    texts = {name: f"what is to be seen in {name}".encode() for name in pictures}
    files = {f"{name}.jpg": content for name, content in pictures.items()}
    files |= {f"{name}.txt": content for name, content in texts.items()}

    def part(sample, drawn):
        damaged = [content for of in (pictures, texts) for name, content in of.items() if name not in drawn]
        (tmp_path / "scans.zip").write_bytes(spoiled(zipped(files), damaged))
        found = read({"scans.zip": tmp_path / "scans.zip"}, CONTRACT, {"sample": sample}, "What is this?")
        return [caption for its in found for caption in its.samples["caption"].to_list()]

    drawn = [name for name in pictures if Subsample(fraction=0.3, seed=2).takes(f"{name}.jpg")]
    assert 2 < len(drawn) < 20
    assert part({"fraction": 0.3, "seed": 2}, drawn) == [texts[name].decode() for name in drawn]
    assert part({"rows": 2}, ["00", "01"]) == [texts[name].decode() for name in ("00", "01")]


PROBLEMS = {
    "empty_captions": b" \xe2\x80\x8b\n",
    "not_utf8": b"caf\xe9",
    "control_characters": b"a\x00b",
    "image_tokens": b"see <image>",
    "huge_captions": b"x" * 51,
}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_bad_captions_fail_or_are_dropped_and_are_counted(tmp_path, problem):
    members = {"1.jpg": BLUE, "1.txt": b"a lung", "2.jpg": RED, "2.txt": PROBLEMS[problem]}
    limits = {"limits": {"max_caption": 50}}
    with pytest.raises(RegistryError, match=f"    {problem}: 1, e.g. scans.zip:2.jpg\n"):
        of(tmp_path, members, **limits)
    rows, report = of(tmp_path, members, **limits, problems={problem: "drop"})
    assert rows["caption"].to_list() == ["a lung"]
    assert {name for name, number in report["counts"]["found"].items() if number} == {problem}


def test_pictures_without_texts_and_texts_without_pictures_are_told(tmp_path):
    members = {"1.jpg": BLUE, "2.jpg": RED, "2.txt": b"a knee", "3.txt": b"a foot"}
    with pytest.raises(RegistryError) as error:
        of(tmp_path, members)
    assert "empty_captions: 1, e.g. scans.zip:1.jpg" in str(error.value)
    assert "missing_files: 1, e.g. scans.zip:3.txt" in str(error.value)
    with pytest.raises(RegistryError, match="scans.zip: no picture is found\n"):
        of(tmp_path, {"1.txt": b"a lung"})


def test_a_table_may_have_the_captions_several_of_a_picture(tmp_path):
    (tmp_path / "captions.csv").write_text("file,text,page\n1,a lung,3\n2,a knee,4\n1,the same lung,5\n")
    (tmp_path / "scans.zip").write_bytes(zipped({"1.jpg": BLUE, "2.jpg": RED}))
    files = {name: tmp_path / name for name in ("scans.zip", "captions.csv")}
    contract = {**CONTRACT, "page": {"dtype": "int64"}}
    rows, report = cleaned(files, contract, table="captions.csv", path="{file}.jpg", caption="text")
    assert rows.select("caption", "page").rows() == [("a lung", 3), ("the same lung", 5), ("a knee", 4)]
    assert report["counts"]["found"]["other_labels"] == 1


def test_a_caption_stays_where_another_of_its_picture_is_dropped(tmp_path):
    (tmp_path / "captions.csv").write_text("file,caption\n1,see <image>\n1,a lung\n")
    (tmp_path / "scans.zip").write_bytes(zipped({"1.jpg": BLUE}))
    files = {name: tmp_path / name for name in ("scans.zip", "captions.csv")}
    dropping = dict.fromkeys(("image_tokens", "other_labels"), "drop")
    rows, _ = cleaned(files, table="captions.csv", path="{file}.jpg", problems=dropping)
    assert rows["caption"].to_list() == ["a lung"]


@pytest.mark.parametrize(
    ("prompt", "words"), [(None, "messages: there is no prompt"), ("see <image>", "it holds <image>")]
)
def test_a_prompt_that_is_none_is_refused(tmp_path, prompt, words):
    with pytest.raises(RegistryError, match=words):
        of(tmp_path, {"1.jpg": BLUE, "1.txt": b"x"}, {"image": {"dtype": "binary"}, "messages": MESSAGES}, prompt)


def test_captions_alone_need_no_prompt(tmp_path):
    assert of(tmp_path, {"1.jpg": BLUE, "1.txt": b"x"}, prompt=None)[0].height == 1


def test_radiology_mini_read_again_has_the_same_pictures_and_conversations(tmp_path):
    options = yaml.safe_load(RADIOLOGY.read_text(encoding="utf-8"))["params"]
    images = tmp_path / "raw" / "images"
    images.mkdir(parents=True)
    (tmp_path / "raw" / "captions.json").write_text(json.dumps(unpack(SAMPLE, images)))
    process(tmp_path / "raw", tmp_path / "processed", tmp_path / "c.json", prompt="What is this?", options=options)
    expected = []
    for split in ("train", "test"):
        folder = tmp_path / "processed" / split
        for one in json.loads((folder / "annotations.json").read_text()):
            expected.append(((folder / "images" / one["image"]).read_bytes(), json.dumps(one["conversations"])))
    contract = {"image": {"dtype": "binary"}, "conversations": CONVERSATIONS}
    rows, report = cleaned({"a.parquet": SAMPLE}, contract, image="image")
    found = [(data, json.dumps(turns)) for data, turns in rows.select("image", "conversations").iter_rows()]
    assert sorted(found) == sorted(expected)
    ours = json.loads((tmp_path / "c.json").read_text())["counts"]
    assert report["counts"]["converted_pictures"] == ours["converted_pictures"]
    assert pq.read_metadata(SAMPLE).num_rows == len(found) == ours["rows"]
