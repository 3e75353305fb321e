"""Duplicates and near-duplicates within splits, across them and in other datasets."""

import io
import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from registry.describe import near_pictures
from registry.describe.leakage import Leakage
from registry.errors import RegistryError


def text(seed, words=16):
    """Return a text of some words, few of which another one has."""
    return " ".join(f"word{number}" for number in np.random.default_rng(seed).integers(9999, size=words))


def changed(text, *places):
    words = text.split()
    return " ".join("other" + str(place) if place in places else word for place, word in enumerate(words))


def said_by(role, content):
    return {"role": role, "content": content}


def picture(seed, side=96):
    """Return a picture of a few bright rectangles."""
    random = np.random.default_rng(seed)
    pixels = np.full((side, side), random.integers(40, 90), np.uint8)
    for _ in range(6):
        top, left = random.integers(0, side - 20, 2)
        height, width = random.integers(12, side // 2, 2)
        pixels[top : top + height, left : left + width] = random.integers(0, 256)
    return Image.fromarray(pixels)


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def cropped(image, left, top):
    side = image.width - 3
    return image.crop((left, top, left + side, top + side))


def found(splits, others=None, said=None, batch=1000, **columns):
    """Return the figures of rows by split, which are values of a column, or dicts of columns."""
    leakage = Leakage(said or {}, others or {})
    for split, rows in splits.items():
        for start in range(0, len(rows), batch):
            some = rows[start : start + batch]
            inputs = pa.RecordBatch.from_pylist([row if isinstance(row, dict) else {"x": row} for row in some])
            leakage.add(split, inputs, [f"{split}-{start + place}" for place in range(len(some))])
    return leakage.figures()


def pairs(figures):
    """Return which rows the figures name."""
    found = [(one["key"], one["like"]["key"], one["exact"]) for one in figures.get("examples", [])]
    assert len(found) == len({frozenset(pair[:2]) for pair in found})
    return {*found}


def test_texts_with_three_words_changed_are_found_across_and_within_splits():
    train = [text(seed) for seed in range(40)]
    test = [text(seed) for seed in range(100, 120)] + [changed(train[7], 2, 8, 13), changed(train[30], 0, 1, 2)]
    figures = found({"train": [*train, changed(train[3], 4, 5, 9)], "test": test})
    assert figures["compared"] == "texts"
    assert figures["splits"] == {
        "train": {"train": {"exact": 0, "near": 2}, "test": {"exact": 0, "near": 2}},
        "test": {"train": {"exact": 0, "near": 2}},
    }
    assert pairs(figures) == {
        ("train-7", "test-20", False),
        ("train-30", "test-21", False),
        ("train-3", "train-40", False),
    }


def test_texts_that_are_the_same_are_exact_and_near_ones_are_not_counted_again():
    one = text(1)
    figures = found({"train": [one, text(2), one, changed(one, 3)], "test": [one, text(3)]})
    assert figures["splits"]["train"] == {"train": {"exact": 2, "near": 1}, "test": {"exact": 2, "near": 1}}
    assert figures["splits"]["test"] == {"train": {"exact": 1, "near": 0}}
    assert {("train-0", "test-0", True), ("train-0", "train-2", True)} < pairs(figures)


def test_words_that_most_texts_have_make_none_alike():
    common = "i feel that it is all about the way of"
    figures = found({"train": [f"{common} {text(seed, 5)}" for seed in range(40)], "test": [f"{common} {text(90, 5)}"]})
    assert figures["splits"] == {}


def test_short_texts_are_near_only_if_they_are_almost_the_same():
    figures = found(
        {"train": ["i feel so angry now", "Thank you so much!"], "test": ["i feel so happy now", "thank you so much"]}
    )
    assert pairs(figures) == {("train-1", "test-1", False)}


def test_languages_without_spaces_are_read_letter_by_letter():
    line = "我昨天在海边看见一位老渔夫慢慢修补他那张破旧的渔网"
    figures = found({"train": [line, "今天天气很好我们去公园散步吧"], "test": [line.replace("昨天", "今晨")]})
    assert pairs(figures) == {("train-0", "test-0", False)}


def test_conversations_are_compared_by_all_that_is_said():
    said = [text(seed, 10) for seed in range(6)]
    chats = [[said_by("user", one), said_by("assistant", two)] for one, two in zip(said[::2], said[1::2], strict=True)]
    again = [said_by("user", changed(said[2], 1)), said_by("assistant", changed(said[3], 5))]
    figures = found({"train": [{"messages": chat} for chat in chats], "test": [{"messages": again}]})
    assert figures["compared"] == "texts"
    assert pairs(figures) == {("train-1", "test-0", False)}


def test_conversations_are_compared_whoever_says_which_part_of_it():
    words = text(1, 12).split()
    one = [said_by("user" if place % 2 else "assistant", word) for place, word in enumerate(words)]
    two = [said_by("user", " ".join(words[place : place + 2])) for place in range(0, 12, 2)]
    figures = found({"train": [{"messages": one}], "test": [{"messages": two}]})
    assert pairs(figures) == {("train-0", "test-0", False)}


COPIES = {
    "resized": lambda image: encoded(image.resize((61, 61), Image.Resampling.BICUBIC)),
    "encoded": lambda image: encoded(image, "JPEG", quality=70),
    "cropped": lambda image: encoded(cropped(image, 0, 3)),
    "cropped and encoded": lambda image: encoded(cropped(image, 2, 1), "JPEG", quality=80),
}


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_copies_of_pictures_are_found(copy):
    train, test = [encoded(picture(seed)) for seed in range(30)], [encoded(picture(seed)) for seed in range(50, 60)]
    figures = found({"train": train, "test": [*test, copy(picture(11))]})
    assert figures["compared"] == "pictures"
    assert pairs(figures) == {("train-11", "test-10", False)}
    assert figures["splits"]["test"] == {"train": {"exact": 0, "near": 1}}


def test_pictures_that_differ_in_a_part_are_not_alike():
    image = picture(4)
    other = image.copy()
    other.paste(150, (60, 10, 68, 18))
    assert found({"train": [encoded(image)], "test": [encoded(other)]})["splits"] == {}


def test_pictures_of_one_colour_and_such_as_nobody_can_read_are_like_no_other():
    black, grey = (encoded(Image.new("L", (40, 40), level)) for level in (0, 128))
    figures = found({"train": [encoded(picture(1)), black], "test": [grey, b"\xff\xd8\xff broken", None, black]})
    assert pairs(figures) == {("train-1", "test-3", True)}


def test_arrays_of_pixels_are_pictures():
    rows = [np.asarray(picture(seed, 28)) for seed in range(20)]
    again = np.asarray(Image.fromarray(rows[4]).resize((40, 40)).resize((28, 28)))
    dtype = pa.list_(pa.list_(pa.uint8(), 28), 28)
    leakage = Leakage({}, {})
    leakage.add("train", pa.record_batch([pa.array([row.tolist() for row in rows], dtype)], ["x"]), map(str, range(20)))
    leakage.add("test", pa.record_batch([pa.array([None, again.tolist()], dtype)], ["x"]), ["none", "again"])
    figures = leakage.figures()
    assert figures["compared"] == "pictures"
    assert pairs(figures) == {("4", "again", False)}


def test_rows_with_noise_below_the_rounding_are_found_wherever_the_edges_are():
    random = np.random.default_rng(0)
    rows = [{"a": a, "b": b, "n": n, "t": "x Y"} for n, (a, b) in enumerate(random.lognormal(0, 3, (300, 2)).tolist())]
    noise = 1 + random.uniform(-2e-6, 2e-6, 300)
    noisy = [row | {"a": row["a"] * noise[n], "t": " X  y"} for n, row in enumerate(rows)]
    far = [row | {"b": row["b"] * 1.01} for row in rows]
    figures = found({"train": rows, "test": noisy, "far": far})
    assert figures["compared"] == "rows"
    assert figures["splits"] == {
        "train": {"test": {"exact": 0, "near": 300}},
        "test": {"train": {"exact": 0, "near": 300}},
    }
    assert found({"train": rows, "test": noisy}, said={"digits": 12})["splits"] == {}


@pytest.mark.parametrize(
    ("one", "other"), [(1.23449, 1.23451), (-0.0012349999, -0.0012350001), (8.6245e9, 8.6244999e9)]
)
def test_numbers_on_both_sides_of_a_roundings_edge_are_near(one, other):
    figures = found({"train": [{"a": one, "n": 1}], "test": [{"a": other, "n": 1}]})
    assert pairs(figures) == {("train-0", "test-0", False)}


def test_numbers_beside_powers_of_ten_zeros_and_gaps_are_compared():
    values = [9.99999, 0.0, None, float("nan"), float("inf"), -1.0]
    others = [10.00001, -0.0, None, float("nan"), float("inf"), 1.0]
    rows, again = ([{"v": value, "n": n} for n, value in enumerate(those)] for those in (values, others))
    assert found({"train": rows, "test": again})["splits"]["test"] == {"train": {"exact": 4, "near": 1}}


def test_near_duplicates_are_left_alone_where_they_do_not_count():
    one = text(1)
    figures = found({"train": [one, text(2)], "test": [changed(one, 3), text(2)]}, said={"near": False})
    assert pairs(figures) == {("train-1", "test-1", True)}
    assert figures["splits"]["test"] == {"train": {"exact": 1, "near": 0}}


@pytest.fixture
def other(tmp_path):
    """Return the data of another dataset: its second text is near text(2), its third is text(3)."""
    (tmp_path / "all").mkdir()
    texts = [text(90), changed(text(2), 5), text(3)]
    pq.write_table(pa.table({"said": texts, "n": [1, 2, 3]}), tmp_path / "all" / "all.parquet")
    return tmp_path


def test_other_datasets_are_held_against_and_not_searched_themselves(other):
    pq.write_table(pa.table({"said": [text(90)], "n": [4]}), other / "more.parquet")
    figures = found({"train": [text(seed) for seed in range(5)]}, {"books": (other, "said")})
    assert figures["splits"] == {}
    assert figures["against"] == {"train": {"books": {"exact": 1, "near": 1}}}
    exact, near = figures["examples"]
    like = {"dataset": "books", "key": "all/all.parquet:2"}
    assert exact == {"split": "train", "key": "train-3", "like": like, "distance": 0.0, "exact": True}
    assert (near["key"], near["like"]["key"], near["exact"]) == ("train-2", "all/all.parquet:1", False)
    assert 0 < near["distance"] < 0.2


@pytest.mark.parametrize(
    ("column", "words"),
    [(None, "it has no column x"), ("n", "its column n is int64, not string")],
)
def test_other_datasets_without_such_a_column_are_one_message(other, column, words):
    with pytest.raises(RegistryError, match=words) as error:
        found({"train": [text(1)]}, {"books": (other, column)})
    assert "against: {books: {column: ..., fail: 0}}" in error.value.hint


def test_another_dataset_without_rows_is_one_message(tmp_path):
    with pytest.raises(RegistryError, match="it has no Parquet or CSV file, and no pictures"):
        found({"train": [text(1)]}, {"books": (tmp_path, None)})


def test_a_csv_file_is_held_against(tmp_path):
    lines = [text(90), text(2), changed(text(3), 5)]
    (tmp_path / "books.csv").write_text("n,said\n" + "".join(f"{n},{line}\n" for n, line in enumerate(lines)))
    figures = found({"train": [text(2), text(3)]}, {"books": (tmp_path / "books.csv", "said")})
    assert figures["against"] == {"train": {"books": {"exact": 1, "near": 1}}}
    assert {one["like"]["key"] for one in figures["examples"]} == {"books.csv:1", "books.csv:2"}
    with pytest.raises(RegistryError, match="it is no table of these columns") as error:
        found({"train": [text(2)]}, {"books": (tmp_path, None)})
    assert "against: {books: {column: ..., fail: 0}}" in error.value.hint


def test_files_of_pictures_are_held_against(tmp_path):
    folder = tmp_path / "train" / "images"
    folder.mkdir(parents=True)
    own = [encoded(picture(seed)) for seed in range(20, 24)]
    (folder / "same:1.png").write_bytes(own[1])
    (folder / "near.jpg").write_bytes(encoded(picture(22).resize((80, 80)), "JPEG"))
    (folder / "other.jpg").write_bytes(encoded(picture(9), "JPEG"))
    (tmp_path / "train" / "annotations.json").write_text("[]")
    figures = found({"test": own}, {"scans": (tmp_path, None)})
    assert figures["against"] == {"test": {"scans": {"exact": 1, "near": 1}}}
    assert [(one["key"], one["like"]["key"]) for one in figures["examples"]] == [
        ("test-1", "train/images/same:1.png"),
        ("test-2", "train/images/near.jpg"),
    ]


def test_no_more_than_twenty_pairs_are_named_and_some_of_any_two_splits():
    splits = {name: [changed(text(seed), place) for seed in range(9)] for place, name in enumerate("abcd")}
    named = [(one["split"], one["like"]["split"]) for one in found(splits)["examples"]]
    assert len(named) <= 20
    assert {*named} == {*itertools.combinations("abcd", 2)}


TEXTS = [*(text(seed) for seed in range(8)), *(changed(text(seed), 3, 9) for seed in range(4)), text(0), "", "   "]
PICTURES = [encoded(picture(seed)) for seed in range(6)]
PICTURES += [copy(picture(seed)) for seed, copy in enumerate(COPIES.values())]
NUMBERS = [{"a": value * (1 + noise), "b": n} for n, value in enumerate((1.5, 2.25, 1e9)) for noise in (0, 1e-7, 1e-2)]


@pytest.mark.parametrize("rows", [TEXTS, PICTURES, NUMBERS], ids=["texts", "pictures", "rows"])
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_neither_batches_nor_the_order_of_rows_change_what_is_found(rows, data):
    order = data.draw(st.permutations(range(len(rows))))
    half = data.draw(st.integers(1, len(rows) - 1))
    batch = data.draw(st.integers(1, len(rows)))

    def like(splits, names, batch):
        figures = found(splits, batch=batch)
        counts = figures["splits"]
        return counts, {frozenset((names[a], names[b])) for a, b, _ in pairs(figures)} if len(rows) < 4 else None

    inside = {place: ("a" if place in order[:half] else "b") for place in range(len(rows))}
    plain = {name: [rows[place] for place in range(len(rows)) if inside[place] == name] for name in "ab"}
    shuffled = {name: [rows[place] for place in order if inside[place] == name] for name in "ab"}
    assert found(plain)["splits"] == found(shuffled, batch=batch)["splits"]
    assert found(plain) == found(plain, batch=batch)


def test_more_pairs_are_there_for_a_page_by_the_numbers_of_their_rows(other):
    leakage = Leakage({}, {"books": (other, "said")})
    texts = [text(seed) for seed in range(200, 210)]
    for split, rows in {"train": [text(2), *texts], "test": [text(1), *texts]}.items():
        leakage.add(split, pa.RecordBatch.from_pylist([{"x": row} for row in rows]), [f"key of {row}" for row in rows])
    assert len(leakage.figures()["examples"]) == 4
    assert leakage.cases.keys() == {("train", "test", None), ("train", "", "books")}
    across = leakage.cases["train", "test", None]
    assert {(row.split, row.number) for case in across for row in case.rows} == {
        (split, number) for split in ("train", "test") for number in range(1, 11)
    }
    assert all(one.key == two.key == f"key of {texts[one.number - 1]}" for one, two in (case.rows for case in across))
    [(here, there)] = [case.rows for case in leakage.cases["train", "", "books"]]
    assert (here.number, there.dataset, there.key) == (0, "books", "all/all.parquet:1")


def test_the_number_of_threads_plays_no_part(monkeypatch):
    monkeypatch.setattr(near_pictures, "BLOCK", (8, 16))
    pictures = [picture(seed % 70).resize((64 + seed % 3, 64)) for seed in range(90)]
    files = [encoded(one, "PNG" if place % 2 else "JPEG") for place, one in enumerate(pictures)]

    def figures(threads):
        leakage = Leakage({}, {}, threads)
        for split, those in (("train", files[:60]), ("test", files[60:])):
            inputs = pa.record_batch([pa.array(those, pa.binary())], names=["image"])
            leakage.add(split, inputs, [f"{split}-{place}" for place in range(len(those))])
        return leakage.figures(), leakage.cases

    alone = figures(1)
    assert alone[0]["splits"]["test"]["train"]["near"] >= 20
    assert figures(3) == alone
    assert figures(16) == alone
