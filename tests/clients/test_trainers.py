"""What those who train meet: `to_hf` and `to_torch`, with the real packages, in an environment of its own.

Functions whose names begin with `in_` run there, each by itself.
"""

import json

import polars as pl


def in_hugging_face(repo):
    from datasets import ClassLabel, Image

    from registry import open_dataset

    pictures = open_dataset("radiology-mini", "^1", repo).to_hf()
    assert pictures["train"].features["image"] == Image(), pictures["train"].features
    emotion = open_dataset("emotion", repo=repo).to_hf("val")
    clothes = open_dataset("fashion-mnist", "^1", repo).to_hf("val", columns=["label"])
    assert isinstance(emotion.features["label"], ClassLabel)
    named = emotion.features["label"].int2str(emotion["label"][:])
    texts = emotion.filter(lambda row: row["label"] == 0).map(lambda row: {"length": len(row["text"])})
    assert texts[0]["length"] == len(texts[0]["text"])
    return {
        "splits": {name: split.num_rows for name, split in pictures.items()},
        "sizes": [[one["image"].width, one["image"].height] for one in pictures["test"]],
        "messages": pictures["test"]["messages"][:],
        "labels": named,
        "classes": clothes.features["label"].names,
        "numbers": clothes["label"][:],
    }


def test_datasets_of_hugging_face(registry, trainer):
    found = trainer(in_hugging_face, str(registry.repository))
    built = registry.built("radiology-mini", "1.0.0")
    metadata = json.loads((built / "metadata.json").read_text("utf-8"))
    assert found["splits"] == {name: split["num_samples"] for name, split in metadata["splits"].items()}
    manifest = pl.read_parquet(registry.built("emotion", "1.0.0") / "processed/val/val.parquet")
    assert found["labels"] == manifest["label"].to_list()
    annotations = json.loads((built / "processed/test/annotations.json").read_text("utf-8"))
    assert [one[1]["content"] for one in found["messages"]] == [one["conversations"][1]["value"] for one in annotations]
    assert len(found["sizes"]) == len(annotations)
    clothes = registry.built("fashion-mnist", "1.0.0")
    features = json.loads((clothes / "metadata.json").read_text("utf-8"))["schema"]["features"]
    assert found["classes"] == features["label"]["classes"]
    assert found["numbers"] == pl.read_parquet(clothes / "processed/val/val.parquet")["label"].to_list()


def in_torch(repo):
    import torch
    from torch.utils.data import DataLoader

    from registry import open_dataset

    clothes = open_dataset("fashion-mnist", "^1", repo)
    whole = clothes.to_torch("val")
    expected = torch.stack([whole[number]["image"] for number in range(len(whole))])
    assert (expected.dtype, tuple(expected.shape)) == (torch.uint8, (500, 28, 28))
    whole[0]["image"].zero_()
    assert torch.equal(whole[0]["image"], expected[0]), "a sample that was changed changed the dataset"
    assert torch.equal(whole[-1]["image"], expected[-1])
    assert len(list(whole)) == 500
    for workers, start in ((0, None), (2, "fork"), (1, "spawn")):
        for streaming in (False, True):
            data = clothes.to_torch("val", streaming=streaming)
            batches = list(DataLoader(data, 64, num_workers=workers, multiprocessing_context=start))
            rows = torch.cat([batch["image"] for batch in batches]).flatten(1).tolist()
            assert sorted(rows) == sorted(expected.flatten(1).tolist()), (workers, start, streaming)
    pictures = open_dataset("radiology-mini", "^1", repo)
    tensor, pil, raw = (pictures.to_torch("test", image_type=kind)[0]["image"] for kind in ("tensor", "pil", "bytes"))
    assert (tensor.dtype, tuple(tensor.shape)) == (torch.uint8, (3, pil.height, pil.width))
    assert tensor[:, 1, 2].tolist() == list(pil.convert("RGB").getpixel((2, 1)))
    assert raw[:2] == b"\xff\xd8"
    streamed = pictures.to_torch("test", streaming=True, columns=["messages", "image"])
    assert [list(sample) for sample in streamed] == [["messages", "image"]] * len(pictures.to_torch("test"))
    return open_dataset("emotion", repo=repo).to_torch("val")[3]


def test_torch(registry, trainer):
    found = trainer(in_torch, str(registry.repository))
    assert found == pl.read_parquet(registry.built("emotion", "1.0.0") / "processed/val/val.parquet").row(3, named=True)


def in_odd_columns():
    import io
    import warnings
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    import torch
    from PIL import Image

    from registry.errors import RegistryError
    from registry.reading.frames import as_hugging_face
    from registry.reading.rows import rows_of, table_of
    from registry.reading.tables import File
    from registry.reading.torch_data import MapSamples, samples_of

    warnings.simplefilter("error")

    def png(image, kind="PNG"):
        stream = io.BytesIO()
        image.save(stream, kind)
        return stream.getvalue()

    def rows(**columns):
        pq.write_table(pa.table(columns), "odd")
        return rows_of("parquet", ["odd"], {"odd": File(Path("odd"), "odd")}, None, {})

    def refused(action):
        try:
            action()
        except RegistryError as error:
            return str(error)
        raise AssertionError("it was not refused")

    def samples(found, kind="tensor", columns=None, streaming=False):
        return samples_of(found, kind, columns, streaming=streaming)

    grey, palette = Image.new("L", (3, 2), 7), Image.new("P", (3, 2))
    deep = Image.fromarray(np.full((2, 3), 60_000, np.uint16))
    odd = rows(
        image=[png(grey), None, png(palette), png(deep), b"no picture", png(Image.new("RGB", (40, 40)))[:-30]],
        id=pa.array([2**64 - 1, 2**53 + 1, 2, 3, 4, 5], pa.uint64()),
        maybe=[2**60 + 1, None, 2, 3, 4, 5],
        vector=pa.array([[1.5, 2], [3, 4], None, [5, 6], [7, 8], [9, 10]], pa.list_(pa.float32(), 2)),
        ragged=pa.array([[1], [], [1, 2], None, [1, None], [2]], pa.list_(pa.int16())),
        flag=[True, False, True, False, True, False],
        names=[["a"], [], None, ["b"], ["c"], ["d"]],
    )
    found = samples(odd)
    assert tuple(found[0]["image"].shape) == (1, 2, 3)
    assert found[1]["image"] is None
    assert tuple(found[2]["image"].shape) == (3, 2, 3)
    plain = samples(odd, "bytes")
    assert plain[4]["image"] == b"no picture"
    assert plain[0]["id"].item() == 2**64 - 1
    assert (plain[0]["maybe"].dtype, plain[0]["maybe"].item(), plain[1]["maybe"]) == (torch.int64, 2**60 + 1, None)
    assert (plain[1]["vector"].dtype, plain[1]["vector"].tolist(), plain[2]["vector"]) == (torch.float32, [3, 4], None)
    assert (plain[2]["ragged"].dtype, plain[2]["ragged"].tolist()) == (torch.int16, [1, 2])
    assert (plain[1]["ragged"].numel(), plain[3]["ragged"], plain[4]["ragged"]) == (0, None, [1, None])
    assert (plain[0]["flag"].dtype, plain[0]["names"]) == (torch.bool, ["a"])
    assert samples(odd, "pil")[3]["image"].getpixel((0, 0)) == 60_000
    said = [refused(lambda number=number: found[number]) for number in (3, 4, 5)]
    said.append(refused(lambda: list(samples(odd, streaming=True))))
    late = rows(image=[png(grey)] * 150 + [b""])
    said.append(refused(lambda: list(samples(late, streaming=True))))
    said.append(refused(lambda: samples(odd, "jpeg")))
    said.append(refused(lambda: samples(odd, columns=["id"])))
    try:
        found[6]
    except IndexError as error:
        said.append(str(error))
    empty = samples(rows(n=pa.array([], pa.int64()), v=pa.array([], pa.list_(pa.list_(pa.int8(), 2), 2))))
    assert (len(empty), list(empty)) == (0, [])
    assert [sample["image"] for sample in samples(rows(image=[[1, 2], [3, 4]]))][1].tolist() == [3, 4]

    facts = samples(rows(facts=pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int8()))))
    assert [facts[0]["facts"], facts[1]["facts"]] == [[("a", 1)], None]
    far = pa.table(
        {
            "far": pa.array([10**9], pa.int32()).cast(pa.date32()),
            "zone": pa.array([0], pa.int64()).cast(pa.timestamp("us", "Mars/X")),
            "ns": pa.array([1], pa.time64("ns")),
        }
    )
    for name in far.column_names:
        assert f"column {name} has a value that Python does not have" in refused(
            lambda name=name: MapSamples(far.select([name]), (), "tensor")[0]
        )
    assert MapSamples(pa.table({"t": pa.array([1000], pa.time64("ns"))}), (), "tensor")[0]["t"].microsecond == 1
    for names in (["x", "x"], ["x", 1]):
        assert type(as_hugging_face(pa.table({"l": [0, 1]}), {"l": names}, None).features["l"]).__name__ == "Value"

    classes = {"a": ["x", "y"], "b": ["x", "y"], "c": ["x"], "d": ["x"]}
    hugging = as_hugging_face(
        table_of(rows(a=[0, None], b=["y", "x"], c=[0, 1], d=["x", "z"], id=pa.array([2**64 - 1, 0], pa.uint64()))),
        classes,
        None,
    )
    assert [hugging[0][name] for name in "abcd"] == [0, 1, 0, "x"]
    assert [type(feature).__name__ for feature in hugging.features.values()][:4] == ["ClassLabel"] * 2 + ["Value"] * 2
    assert (hugging[0]["id"], hugging[1]["a"]) == (2**64 - 1, None)
    empty = as_hugging_face(table_of(rows(image=pa.array([], pa.large_binary()))), {}, None)
    assert (empty.num_rows, type(empty.features["image"]).__name__) == (0, "Image")
    maps = rows(facts=pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string())))
    said.append(refused(lambda: as_hugging_face(table_of(maps), {}, None)))
    return said


def test_odd_columns(trainer):
    deep, none, cut, streamed, late, kind, column, index, facts = trainer(in_odd_columns)
    assert deep.startswith("row 3: image: a picture of mode I;16 has no 8-bit pixels")
    assert none.startswith("row 4: image: not a picture in one of the formats JPEG, PNG")
    assert cut.startswith("row 5: image: a picture does not decode: ")
    assert streamed == deep
    assert late.startswith("row 150: image: not a picture")
    assert kind == "pictures become no jpeg\n  what to do: choose from: tensor, pil, bytes"
    assert column == "no pictures are in id\n  what to do: columns of bytes are: image"
    assert index == "no sample 6 of 6"
    assert facts.startswith("column facts: Arrow type map<string, string> does not have a datasets dtype equivalent")
