"""Tables by configuration alone: what is read from files in all formats, and what is refused."""

import json
import re
from contextlib import nullcontext
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.config.kinds import check_kind
from registry.describe import repeated as repeated_ids
from registry.errors import RegistryError
from registry.files import sha256_of
from registry.kinds.columns import arrow_schema
from registry.kinds.rows import ID, Cleaning, Rows, ordered, repeated, seen_before, with_repeated
from registry.kinds.splitting import drawn, splitter
from registry.kinds.table import POLICIES, read
from registry.kinds.tables import Keys, process, write_dataset, write_tables

CONTRACT = {"name": {"dtype": "string"}, "age": {"dtype": "int64"}, "height": {"dtype": "float64"}}
ROWS = [("Ann", 31, 1.5), ("Bob", None, 1.75), ("Cem", 7, 0.5)]
TABLE = pl.DataFrame(ROWS, schema={"name": pl.String, "age": pl.Int64, "height": pl.Float64}, orient="row")
CSV = "name,age,height\nAnn,31,1.5\nBob,,1.75\nCem,7,0.5\n"


def table_of(path, contract=CONTRACT, **params) -> pl.DataFrame:
    """Return all that is read of one file."""
    return pl.concat([rows.samples for rows in read({path.name: path}, contract, params)])


def written(tmp_path, name: str, content: str | bytes):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("people.csv", lambda path: path.write_text(CSV)),
        ("people.tsv", lambda path: path.write_text(CSV.replace(",", "\t"))),
        ("people.jsonl", lambda path: TABLE.write_ndjson(path)),
        ("people.parquet", lambda path: TABLE.write_parquet(path)),
        ("people.arrow", lambda path: TABLE.write_ipc(path, compression="uncompressed")),
    ],
)
def test_all_formats_give_the_same_rows(tmp_path, name, write):
    write(tmp_path / name)
    assert table_of(tmp_path / name).equals(TABLE)


def test_a_sheet_of_an_excel_file_is_read(tmp_path):
    TABLE.write_excel(tmp_path / "people.xlsx", worksheet="second")
    assert table_of(tmp_path / "people.xlsx", format={"sheet": "second"}).equals(TABLE)


@pytest.mark.parametrize(
    ("content", "params"),
    [
        (
            "Ann;31;1,5\nBob;NA;1,75\nCem;7;0,5\n",
            {"format": {"separator": ";", "header": False, "decimal": ",", "nulls": ["NA"]}, "names": [*CONTRACT]},
        ),
        (CSV.replace("Ann", "Änn").encode("cp1252"), {"format": {"encoding": "cp1252"}}),
        ("\ufeff" + CSV, {}),
        (
            CSV.replace("name,age,height", "Name,Age [y],height"),
            {"columns": {"name": "Name", "age": {"from": "Age [y]"}}},
        ),
        ("height,more,age,name\n1.5,x,31,Ann\n1.75,x,,Bob\n0.5,x,7,Cem\n", {}),
    ],
)
def test_a_csv_file_may_look_otherwise(tmp_path, content, params):
    found = table_of(written(tmp_path, "people.csv", content), **params)
    assert found.with_columns(pl.col("name").str.replace("Änn", "Ann")).equals(TABLE)


def test_columns_are_converted(tmp_path):
    contract = {"day": {"dtype": "string"}, "label": {"dtype": "string"}, "year": {"dtype": "int64"}}
    path = written(tmp_path, "a.csv", "d,class\n24.12.2025,0\n1.1.2026,1\n")
    columns = {
        "day": "d",
        "label": {"from": "class", "map": {"0": "cat", "1": "dog"}},
        "year": {"by_file": {"a.csv": 7}},
    }
    assert table_of(path, contract, columns=columns).rows() == [("24.12.2025", "cat", 7), ("1.1.2026", "dog", 7)]


@pytest.mark.parametrize(
    ("name", "content", "params", "message"),
    [
        ("a.csv", "name,age,height\nAnn,old,1.5\n", {}, "line 2: age is 'old', not Int64"),
        ("a.csv", "name,years,height\nAnn,1,1.5\n", {}, "there is no column age: it has name, years, height"),
        ("a.csv", "name,age,age,height\nAnn,1,1,1.5\n", {}, "duplicate: age"),
        ("a.csv", "", {}, "the file is empty"),
        ("a.csv", "name,age,height\n", {}, "has a header but no rows"),
        ("a.jsonl", '{"name": "Ann", "age": "old", "height": 1}\n', {}, "not JSON lines of name, age, height"),
        ("a.jsonl", '{"name": "Ann", "age": 1', {}, "not JSON lines of name, age, height"),
        ("a.parquet", "PAR1", {}, "not a sound Parquet file"),
        ("a.arrow", "nothing", {}, "not a sound"),
        ("a.bin", "x", {}, "its name does not tell its format"),
        ("a.csv", CSV, {"columns": {"name": {"map": {"Ann": "A"}}}}, "row 1: name is 'Bob', not String"),
        (
            "a.csv",
            CSV,
            {"split": {"column": "name", "values": {"train": ["Ann"]}}},
            "name is 'Bob', which is in no split",
        ),
    ],
)
def test_what_is_no_row_is_refused(tmp_path, name, content, params, message):
    with pytest.raises(RegistryError, match=message):
        table_of(written(tmp_path, name, content), **params)


@pytest.mark.parametrize(
    ("values", "dtype", "wrong"),
    [([1.0, 2.5], "int64", 1), ([2**53 + 1], "float64", 0), ([1, 300], "uint8", 1), ([float("inf")], "int64", 0)],
)
def test_a_number_that_a_column_cannot_hold_is_named(tmp_path, values, dtype, wrong):
    pl.DataFrame({"n": values}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(RegistryError, match=f"row {wrong}: n is"):
        table_of(tmp_path / "a.parquet", {"n": {"dtype": dtype}})


def test_a_number_of_another_width_is_taken(tmp_path):
    pl.DataFrame({"n": [1, None]}, schema={"n": pl.Int16}).write_parquet(tmp_path / "a.parquet")
    assert table_of(tmp_path / "a.parquet", {"n": {"dtype": "float64"}})["n"].to_list() == [1.0, None]


def test_names_that_polars_takes_for_patterns_are_names(tmp_path):
    contract = {"^n.*$": {"dtype": "int64"}, "*": {"dtype": "string"}}
    path = written(tmp_path, "a.csv", "^n.*$,*,name\n1,x,y\n")
    assert table_of(path, contract).rows() == [(1, "x")]


def test_equal_rows_are_drawn_alike_and_growth_moves_none():
    rows = pl.Series([f"{number}" for number in range(1000)])
    splits = drawn([rows], {"train": 0.75, "val": 0.25}, seed=0)
    assert drawn([rows.tail(500)], {"train": 0.75, "val": 0.25}, seed=0).to_list() == splits.tail(500).to_list()
    assert 700 < (splits == "train").sum() < 800
    assert drawn([rows], {"train": 0.75, "val": 0.25}, seed=1).to_list() != splits.to_list()
    # For ever: who adds rows in two years must find the others where they were.
    assert splits.head(12).to_list() == [*["train"] * 6, "val", "val", "train", "val", "train", "train"]


def rows_of(*names: str, **problems) -> Rows:
    samples = pl.DataFrame({"name": names})
    splits = pl.Series(["val" if name == "v" else "train" for name in names])
    return Rows(samples, pl.Series([f"a.csv:{place}" for place in range(len(names))]), splits, problems)


def test_rows_that_are_there_again_are_found_across_batches():
    parts = [rows_of("a", "b", "a"), rows_of("c", "b")]
    again, policies = [False, False, True, False, True], {"duplicates": "drop"}
    assert repeated(parts, policies).tolist() == again
    cleaning = Cleaning(policies)
    kept = [its.samples["name"].to_list() for its in cleaning.clean(with_repeated(parts, repeated(parts, policies)))]
    assert kept == [["a", "b"], ["c"]]
    assert cleaning.report() == {
        "counts": {"rows": 5, "found": {"duplicates": 2}, "dropped": 2},
        "first": {"duplicates": ["a.csv:2", "a.csv:1"]},
    }


@pytest.mark.parametrize(("policy", "kept"), [("drop", ["b", "a"]), ("keep", ["a", "b"])])
def test_of_equal_rows_one_stays_whatever_else_takes_others(tmp_path, policy, kept):
    parts = [rows_of("a", "b", odd=pl.Series([True, False])), rows_of("a", "v", odd=pl.Series([False, False]))]
    policies = {"duplicates": "drop", "odd": policy}
    assert write(tmp_path, parts, policies=policies)["train"] == kept


def test_problems_that_are_to_fail_are_all_named():
    parts = [rows_of("a", "", blank=pl.Series([False, True]), odd=pl.Series([True, True]))]
    cleaning = Cleaning({"blank": "fail", "odd": "keep"})
    assert [its.samples.height for its in cleaning.clean(parts)] == [2]
    with pytest.raises(RegistryError, match=r"not allowed:\n    blank: 1, e\.g\. a\.csv:1\n") as raised:
        cleaning.check("people")
    assert "config/datasets/people.yaml" in raised.value.hint


def test_rows_are_ordered_by_columns_and_then_as_they_came():
    [its] = ordered([rows_of("b", "a"), rows_of("b")], ["name"])
    assert its.samples["name"].to_list() == ["a", "b", "b"]
    assert its.keys.to_list() == ["a.csv:1", "a.csv:0", "a.csv:0"]


def write(tmp_path, parts, **options):
    folder = tmp_path / "people" / "processed"
    tables = {split: folder / split / f"{split}.parquet" for split in ("train", "val")}
    schema = arrow_schema({"name": {"dtype": "string"}})
    options = {"schema": schema, "policies": POLICIES} | options
    write_dataset(lambda: parts, folder, tables, tmp_path / "keys.parquet", tmp_path / "cleaning.json", **options)
    return {split: pl.read_parquet(table)["name"].to_list() for split, table in tables.items()}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3))))
def test_digests_that_were_there_before(pairs):
    ids = np.array(pairs, np.uint64).reshape(-1, 2).view(ID).ravel()
    assert seen_before(ids).tolist() == [pair in pairs[:place] for place, pair in enumerate(pairs)]


def test_tables_and_keys_have_the_same_order(tmp_path):
    parts = [rows_of("a", "v", "b"), rows_of("v", "c")]
    assert write(tmp_path, parts) == {"train": ["a", "b", "c"], "val": ["v", "v"]}
    keys = Keys(tmp_path / "keys.parquet", "train")
    assert [keys.take(2).to_pylist(), keys.take(5).to_pylist()] == [["a.csv:0", "a.csv:2"], ["a.csv:1"]]
    assert json.loads((tmp_path / "cleaning.json").read_text())["counts"] == {"rows": 5, "found": {}, "dropped": 0}


def built(tmp_path, files: dict[str, str], contract, **options):
    """Run what a rule `people_process` runs, and return the folder that it writes."""
    folder = tmp_path / "people" / "processed"
    output = {"row_keys": tmp_path / "keys.parquet", "cleaning": tmp_path / "cleaning.json"}
    output |= {"folder": folder, "tables": [folder / "people.parquet"]}
    given = [written(tmp_path, name, content) for name, content in files.items()]
    params = {"files": [*files], "splits": ["all"], "columns": contract, "options": options}
    parts = {"input": {"files": given}, "output": output, "params": params}
    process(SimpleNamespace(**{name: SimpleNamespace(**part) for name, part in parts.items()}), read, POLICIES)
    return folder


IDS = {"id": {"dtype": "int64", "nullable": True}, "n": {"dtype": "int64"}}


@pytest.mark.parametrize(
    ("second", "options", "said"),
    [
        ("17,3\n", {}, "people: two rows have the key '17': a.csv:1 and b.csv:0"),
        ("18,3\n17,4\n17,5\n", {"sort": ["n"]}, "two rows have the key '17': a.csv:1 and b.csv:1"),
        (",3\n,4\n", {}, "two rows have no key: b.csv:0 and b.csv:1"),
        ("17,1\n18,2\n17,3\n", {"problems": {"duplicates": "drop"}}, "the key '17': a.csv:1 and b.csv:2"),
        ("17,1\n18,2\n,3\n", {"problems": {"duplicates": "drop"}}, None),
    ],
)
def test_a_key_names_one_row(tmp_path, second, options, said):
    files = {"a.csv": "id,n\n16,0\n17,1\n", "b.csv": f"id,n\n{second}"}
    if said is None:
        assert pl.read_parquet(built(tmp_path, files, IDS, key="id", **options))["id"].to_list() == [16, 17, 18, None]
        return
    with pytest.raises(RegistryError, match=re.escape(said)):
        built(tmp_path, files, IDS, key="id", **options)
    assert not (tmp_path / "people" / "processed").exists()
    built(tmp_path, files, IDS, **options)


def test_a_key_names_one_row_of_very_many(tmp_path, monkeypatch):
    monkeypatch.setattr(repeated_ids, "AT_ONCE", 100)
    numbers = [*range(5_000)]
    text = "id,n\n" + "".join(f"{number},0\n" for number in numbers)
    built(tmp_path, {"a.csv": text}, IDS, key="id")
    with pytest.raises(RegistryError, match="the key '4321': a.csv:4321 and a.csv:5000"):
        built(tmp_path, {"a.csv": f"{text}4321,1\n"}, IDS, key="id")


def test_the_bytes_of_a_table_do_not_depend_on_batches(tmp_path):
    names = [f"{number}" for number in range(40)]
    found = []
    for size in (1, 7, 40):
        parts = [rows_of(*names[start : start + size], "v") for start in range(0, 40, size)]
        write(tmp_path, parts, group=16)
        found.append((tmp_path / "people" / "processed" / "train" / "train.parquet").read_bytes())
    assert found[0] == found[1] == found[2]


def test_the_bytes_of_a_full_row_group_do_not_depend_on_batches(tmp_path):
    names = pl.select(name=pl.int_range(200_000).hash(0).cast(pl.String))
    found = set()
    for size in (200_000, 1 << 16, 7_001):
        parts = [
            Rows(its, pl.repeat("key", its.height, eager=True), pl.repeat("train", its.height, eager=True))
            for its in names.iter_slices(size)
        ]
        write(tmp_path, [*parts, rows_of("v")])
        found.add(sha256_of(tmp_path / "people" / "processed" / "train" / "train.parquet"))
    assert len(found) == 1


def test_columns_are_written_under_any_name(tmp_path):
    contract = {"^t$": {"dtype": "string"}, "*": {"list": {"struct": {"^n.*$": {"dtype": "string"}}}}}
    samples = pl.DataFrame({"^t$": ["a", None], "*": [[{"^n.*$": "x"}, {"^n.*$": None}], []]})
    tables = {"all": tmp_path / "all" / "all.parquet"}
    rows = Rows(samples, pl.Series(["0", "1"]), pl.Series(["all", "all"]))
    write_tables([rows], tables, tmp_path / "keys.parquet", arrow_schema(contract), group=16)
    assert pl.read_parquet(tables["all"]).equals(samples)


def test_a_split_that_stays_empty_is_refused_and_nothing_is_written(tmp_path):
    with pytest.raises(RegistryError, match="no row is left for val"):
        write(tmp_path, [rows_of("a")])
    assert not (tmp_path / "people" / "processed").exists()


def test_json_lines_and_csv_hold_what_a_contract_can_ask_for(tmp_path):
    contract = {
        "day": {"dtype": "date"},
        "at": {"dtype": "timestamp"},
        "small": {"dtype": "int16"},
        "price": {"dtype": "decimal", "precision": 10, "scale": 2},
    }
    row = (date(2025, 1, 31), datetime(2025, 1, 31, 12, 30, 1, 500_000), 7, Decimal("1.50"))
    path = written(tmp_path, "a.csv", "day,at,small,price\n2025-01-31,2025-01-31 12:30:01.5,7,1.50\n")
    assert table_of(path, contract).rows() == [row]
    texts = '{"day": "2025-01-31", "at": "2025-01-31T12:30:01.5", "small": 7, "price": "1.50", "tags": [{"a": "x"}]}\n'
    path = written(tmp_path, "a.jsonl", texts)
    contract["tags"] = {"list": {"struct": {"a": {"dtype": "string"}}}}
    assert table_of(path, contract).rows() == [(*row, [{"a": "x"}])]
    path = written(tmp_path, "b.csv", "day\n31.01.2025\n")
    with pytest.raises(RegistryError, match=r"row 0: day is '31\.01\.2025', not Date"):
        table_of(path, {"day": {"dtype": "date"}})
    columns = {"day": {"format": "%d.%m.%Y"}}
    assert table_of(path, {"day": {"dtype": "date"}}, columns=columns).rows() == [(date(2025, 1, 31),)]


def test_a_part_of_the_rows_is_taken(tmp_path):
    path = written(tmp_path, "a.csv", "n\n" + "".join(f"{number}\n" for number in range(1000)))
    contract = {"n": {"dtype": "int64"}}
    assert table_of(path, contract, sample={"rows": 3})["n"].to_list() == [0, 1, 2]
    some = table_of(path, contract, sample={"fraction": 0.1, "seed": 1})["n"].to_list()
    assert 60 < len(some) < 140
    assert {*some} < {*table_of(path, contract, sample={"fraction": 0.2, "seed": 1})["n"].to_list()}


@pytest.mark.parametrize("text", ["1.5", "1.50", "1.500", "+1.5", "01.5"])
def test_a_decimal_is_the_number_that_its_digits_say(tmp_path, text):
    contract = {"price": {"dtype": "decimal", "precision": 10, "scale": 2}}
    assert table_of(written(tmp_path, "a.csv", f"price\n{text}\n"), contract).rows() == [(Decimal("1.50"),)]
    for wrong in ("1.505", "1.5x", "123456789.1", "1,5"):
        with pytest.raises(RegistryError, match="row 0: price is"):
            table_of(written(tmp_path, "a.tsv", f"price\n{wrong}\n"), contract)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"age": {"by_file": {"a.csv": "old"}}}, "a.csv: params.columns.age.by_file is 'old', not Int64"),
        ({"age": {"by_file": {"a.csv": 1.5}}}, "params.columns.age.by_file is 1.5, not Int64"),
        ({"age": {"by_file": {"a.csv": [1, "x"]}}}, "by_file is .*, not Int64"),
        ({"age": {"format": "%Y"}}, "params.columns.age.format: it is of dates and times, but the column is Int64"),
    ],
)
def test_params_that_do_not_fit_a_column_are_named(tmp_path, columns, message):
    with pytest.raises(RegistryError, match=message):
        table_of(written(tmp_path, "a.csv", CSV), columns=columns)


def test_a_day_may_be_a_number_in_parquet(tmp_path):
    pl.DataFrame({"day": [20250131]}).write_parquet(tmp_path / "a.parquet")
    columns = {"day": {"format": "%Y%m%d"}}
    assert table_of(tmp_path / "a.parquet", {"day": {"dtype": "date"}}, columns=columns)["day"][0] == date(2025, 1, 31)


@pytest.mark.parametrize(
    "split", [{"ratios": {"a": 0.5, "b": 0.5}, "by": ["fold"]}, {"column": "fold", "values": {"a": [1]}}]
)
def test_numbers_in_json_lines_say_the_split_and_need_not_be_published(tmp_path, split):
    path = written(tmp_path, "a.jsonl", '{"n": 1, "fold": 1, "odd": 1}\n{"n": 2, "fold": 1}\n')
    [rows] = read({"a.jsonl": path}, {"n": {"dtype": "int64"}}, {"split": split})
    assert rows.samples.columns == ["n"]
    assert rows.splits.n_unique() == 1


def test_a_split_by_a_column_that_is_not_there_is_refused():
    for split in ({"ratios": {"a": 0.5, "b": 0.5}, "by": ["fold"]}, {"column": "fold", "values": {"a": [1]}}):
        with pytest.raises(RegistryError, match="params.split: there is no column fold") as error:
            splitter(split, ["n"])("a.csv", pl.DataFrame({"n": [1], "m": [2]}))
        assert error.value.hint == "there is n, m"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train": [1, "2"], "test": [3]}, "of several types, number and str"),
        ({"train": [1, True], "test": [3]}, "of several types, bool and number"),
        ({"train": [[1, 2]], "test": [3]}, "not a list or a mapping"),
        ({"train": [1, 2], "test": [2, 3]}, "2 is there more than once"),
        ({"train": [1, 2.5], "test": [None]}, None),
    ],
)
def test_values_that_say_the_split_are_of_one_type_and_each_in_one(values, message):
    params = {"split": {"column": "fold", "values": values}}
    contract = {"columns": {"n": {"dtype": "int64"}}, "rows": {}}
    dataset = {"kind": "table", "sources": {"files": [{"file": "a"}]}, "params": params, "contract": contract}
    with pytest.raises(RegistryError, match=message) if message else nullcontext():
        check_kind(dataset, "people.yaml")


def test_a_parquet_file_without_rows_has_nothing_to_sort(tmp_path):
    with pytest.raises(RegistryError, match="no row is left for train, val"):
        write(tmp_path, [], sort=["name"])


def test_a_row_without_a_key_is_named_too():
    [rows] = [rows_of("a", odd=pl.Series([True]))]
    cleaning = Cleaning({"odd": "fail"})
    [*_] = cleaning.clean([replace(rows, keys=pl.Series("^k$", [None], dtype=pl.String))])
    with pytest.raises(RegistryError, match="odd: 1, e.g. a row without a key"):
        cleaning.check("people")
