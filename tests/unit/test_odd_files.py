"""Files of all sorts that people have: `registry new` takes each, or says in one line what to do."""

import gzip
import io
import json
import zipfile
from datetime import date

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from registry.authoring.check import check
from registry.authoring.drafts import Wishes
from registry.authoring.new import new, write
from registry.config.load import load_datasets
from registry.errors import RegistryError
from registry.kinds.files import Format
from registry.storage.repository import read_config
from support import ROOT

ROWS = "\n".join(f"{number},{'ab'[number % 2]},{number / 4}" for number in range(40))
PEOPLE = f"id,sex,size\n{ROWS}\n"


def parquet(table: pa.Table, **options) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def excel(**sheets: pl.DataFrame) -> bytes:
    import xlsxwriter

    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer) as book:
        for name, table in sheets.items():
            table.write_excel(book, worksheet=name)
    return buffer.getvalue()


def stream(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_ipc_stream(buffer)
    return buffer.getvalue()


def lines(*rows: object) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def picture(mode: str, kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (20, 20)).save(buffer, format=kind)
    return buffer.getvalue()


def packed(**members: bytes) -> bytes:
    """Return a zip with members {name, with __ for / and _ for .: content}."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return buffer.getvalue()


TAKEN = {
    "plain": ("a.csv", PEOPLE, 40),
    "semicolons": ("a.csv", PEOPLE.replace(",", ";"), 40),
    "semicolons and decimal commas": ("a.csv", PEOPLE.replace(",", ";").replace(".", ","), 40),
    "tabs": ("a.tsv", PEOPLE.replace(",", "\t"), 40),
    "tabs in a .txt": ("a.txt", PEOPLE.replace(",", "\t"), 40),
    "pipes": ("a.csv", PEOPLE.replace(",", "|"), 40),
    "byte order mark": ("a.csv", "\ufeff" + PEOPLE, 40),
    "UTF-16": ("a.csv", PEOPLE.encode("utf-16"), 40),
    "Windows' encoding": ("a.csv", PEOPLE.replace("sex", "größe").encode("cp1252"), 40),
    "ends of lines as on Windows": ("a.csv", PEOPLE.replace("\n", "\r\n"), 40),
    "gzip": ("a.csv.gz", gzip.compress(PEOPLE.encode()), 40),
    "gzip that is large": ("a.csv.gz", gzip.compress("".join(f"{n}\n" for n in range(200_000)).encode()), 200_000),
    "a table in a zip": ("a.csv.zip", packed(a_csv=PEOPLE.encode()), 40),
    "no end of the last line": ("a.csv", PEOPLE.rstrip(), 40),
    "no header": ("a.csv", f"{ROWS}\n", 40),
    "line breaks in fields": ("a.csv", 'id,text\n1,"two\nlines"\n2,"a ""quote"""\n', 2),
    "dates": ("a.csv", "day,value\n2025-01-31,1\n2024-02-29,2\n", 2),
    "dates in two other forms stay texts": ("a.csv", "day,date\n31.01.2025,01/31/2025\n29.02.2024,02/29/2024\n", 2),
    "ends of lines of two sorts": ("a.csv", "a,b\r\n1,2\n3,4\r\n", 2),
    "words for numbers": ("a.csv", 'a,b,c\n"1,234",10%,inf\n"2,345",20%,-inf\n', 2),
    "post codes": ("a.csv", "code\n01067\n80331\n", 2),
    "large numbers": ("a.csv", f"n,m\n{2**63},1\n1,2\n", 2),
    "one column": ("a.csv", "a\nx\ny\n", 2),
    "2,000 columns": ("a.csv", ",".join(f"c{n}" for n in range(2000)) + "\n" + ",".join(["1"] * 2000) + "\n", 1),
    "mixed types deep in the file": ("a.csv", "n\n" + "1\n" * 50_000 + "x\n", 50_001),
    "an empty column": ("a.csv", "a,b\n1,\n2,\n", 2),
    "odd names of columns": ("a.csv", 'ab c,"d,e",^f.*$,*,ü,%\n1,2,3,4,5,6\n', 1),
    "names of columns that differ in case, or in how they are composed": ("a.csv", "A,a,u\u0308,ü\n1,2,3,4\n", 1),
    "JSON lines": ("a.jsonl", lines({"a": 1, "b": "x"}, {"a": 2, "b": None}), 2),
    "JSON lines with a byte order mark and gaps": ("a.jsonl", "\ufeff" + lines({"a": 1}) + "\n" + lines({"b": 2}), 2),
    "nested JSON": ("a.jsonl", lines({"a": {"b": [1, 2]}, "c": [{"d": "x"}]}, {"a": {"b": []}, "c": []}), 2),
    "a JSON array": ("a.json", json.dumps([{"a": 1}, {"a": 2}]), 2),
    "Parquet": ("a.parquet", parquet(pa.table({"a": [1, 2], "b": ["x", None]})), 2),
    "nested Parquet": ("a.parquet", parquet(pa.table({"a": [[{"b": 1}], None], "c": [date(2025, 1, 1), None]})), 2),
    "Parquet with times to the nanosecond": (
        "a.parquet",
        parquet(pa.table({"a": pa.array([1], pa.timestamp("ns"))})),
        1,
    ),
    "Parquet with dictionaries": ("a.parquet", parquet(pa.table({"a": pa.array(["x"] * 9).dictionary_encode()})), 9),
    "Excel": ("a.xlsx", excel(first=pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})), 2),
    "Excel with dates": ("a.xlsx", excel(first=pl.DataFrame({"a": [date(2025, 1, 1), None], "b": [1.5, 2]})), 2),
    "Excel with two sheets": ("a.xlsx", excel(first=pl.DataFrame({"a": [1]}), second=pl.DataFrame({"b": [1, 2]})), 1),
    "pictures of all modes": (
        "a.zip",
        packed(
            cat__1_jpg=picture("CMYK", "JPEG"),
            cat__2_tif=picture("I;16", "TIFF"),
            dog__1_gif=picture("P", "GIF"),
            dog__2_png=picture("LA", "PNG"),
        ),
        4,
    ),
    "pictures of other formats": (
        "a.zip",
        packed(
            cat__1_bmp=picture("RGB", "BMP"),
            cat__2_webp=picture("RGB", "WEBP"),
            cat__3_png=picture("1", "PNG"),
            cat__4_svg=b"<svg/>",
        ),
        3,
    ),
    "pictures with captions": ("a.zip", packed(a_png=picture("RGB", "PNG"), a_txt=b"a cat"), 1),
    "pages": ("a.zip", packed(a_html=b"<title>A</title><p>B", b__b_md=b"# B", c_txt=b"C", logo_png=b""), 3),
    "a picture that is corrupt": ("a.zip", packed(cat__1_png=picture("RGB", "PNG"), cat__2_png=b"none"), 1),
    "litter beside pictures": ("a.zip", packed(cat__1_png=picture("RGB", "PNG"), cat__Thumbs_db=b"x"), 1),
    "a folder with spaces and umlauts": ("a.zip", packed(**{"große Hunde__1_png": picture("RGB", "PNG")}), 1),
    "chats": (
        "a.jsonl",
        lines({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}),
        1,
    ),
    "chats of another form": (
        "a.jsonl",
        lines({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}),
        1,
    ),
    "instructions": ("a.jsonl", lines({"instruction": "a", "input": "", "output": "b"}), 1),
}
REFUSED = {
    "nothing": ("a.csv", "", "the file is empty"),
    "a header alone": ("a.csv", "a,b\n", "has a header but no rows"),
    "columns of one name": ("a.csv", "a,a\n1,2\n", "more than one column is called a"),
    "a column without a name": ("a.csv", "a,\n1,2\n", "a column has no name"),
    "Parquet without rows": ("a.parquet", parquet(pa.table({"a": pa.array([], pa.int64())})), "it has no rows"),
    "Parquet with maps": (
        "a.parquet",
        parquet(pa.table({"m": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))})),
        "column m: values are maps, which no contract has",
    ),
    "Excel without rows": ("a.xlsx", excel(first=pl.DataFrame({"a": []})), "it has no rows"),
    "ends of lines as on the first Macs": (
        "a.csv",
        PEOPLE.replace("\n", "\r"),
        "a.csv: line 1: a carriage return ends",
    ),
    "a blank line at the end": ("a.csv", f"{PEOPLE}\n", "^/.*a.csv: line 42 is blank"),
    "a remark above the table": ("a.csv", f"# ours\n{PEOPLE}", "a.csv: line 2: the number of fields is 3, not 1"),
    "quotes that are inches": ("a.tsv", 'a\tb\n1\t5" wide\n2\t6" wide\n', "new: --no-quotes"),
    "a text that is no table": (
        "a.txt",
        "Once, there was\na text, in lines, of words\n",
        "but a text: --kind documents",
    ),
    "JSON that is no objects": ("a.json", "[1, 2]", "element 0 of its array is no object"),
    "JSON with NaN": ("a.jsonl", '{"a": NaN}\n', "column a holds NaN or infinity"),
    "Arrow as a stream": ("a.arrow", stream(pl.DataFrame({"a": [1]})), "Not an Arrow file"),
    "Excel of the nineties": ("a.xls", b"\xd0\xcf\x11\xe0", "its name does not tell its format"),
    "a row that is too short": ("a.csv", "a,b\n1,2\n3\n", "line 3"),
    "quotes that do not match": ("a.csv", 'a,b\n1,"2\n', "a quote is opened and never closed"),
    "a NUL": ("a.csv", "a,b\n1,\0\n", "line 2 holds NUL"),
    "JSON that breaks off": ("a.jsonl", '{"a": 1}\n{"a"', "not JSON lines"),
    "JSON of other types further down": ("a.jsonl", '{"a": 1}\n{"a": "x"}\n', "not JSON lines"),
    "Parquet that breaks off": ("a.parquet", parquet(pa.table({"a": [1]}))[:-9], "not a sound Parquet file"),
    "no Excel": ("a.xlsx", "x", "not an Excel file"),
    "an archive that is none": ("a.zip", b"x", "not a sound archive"),
    "an archive of nothing": ("a.zip", packed(), "its name does not tell its format"),
    "pictures that nothing reads": (
        "a.zip",
        packed(cat__1_heic=b"\0\0\0\x18ftypheic"),
        "no sample of it can be used .unsupported: 1.",
    ),
    "a format that nobody knows": ("a.bin", "x", "its name does not tell its format"),
    "two tables in a zip": ("a.csv.zip", packed(a_csv=b"a\n1\n", b_csv=b"a\n1\n"), "more than one file is in it"),
    "a compressed table that breaks off": ("a.csv.gz", gzip.compress(PEOPLE.encode())[:-9], "not a sound archive"),
    "a page in place of a file": ("a.csv", "<!doctype html><html></html>", "an HTML page, not the file itself"),
}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "config" / "datasets").mkdir(parents=True)
    (tmp_path / "config" / "config.yaml").write_bytes((ROOT / "config" / "config.yaml").read_bytes())
    (tmp_path / "scripts").symlink_to(ROOT / "scripts")
    return tmp_path


def source(root, name, content):
    path = root / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize("case", TAKEN)
def test_it_is_taken_and_keeps_its_own_contract(root, case):
    name, content, rows = TAKEN[case]
    with new(root, "things", [source(root, name, content)], Format(), Wishes()) as made:
        write(root, made)
    assert sum(made.facts.rows.values()) == rows
    assert "the contract of their" in check(root, "things", load_datasets(read_config(root), root))


def test_very_many_tiny_files_are_taken(root):
    name = source(root, "a.zip", packed(**{f"{number % 99}__{number}_md": b"# A" for number in range(20_000)}))
    with new(root, "things", [name], Format(), Wishes()) as made:
        write(root, made)
    assert made.facts.rows == {"all": 20_000}
    assert made.text.count("\n") < 40
    assert "the contract of their" in check(root, "things", load_datasets(read_config(root), root))


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_in_one_message_and_nothing_is_written(root, case):
    name, content, message = REFUSED[case]
    with (
        pytest.raises(RegistryError, match=message),
        new(root, "things", [source(root, name, content)], Format(), Wishes()),
    ):
        pass
    assert [*(root / "config" / "datasets").iterdir()] == []
