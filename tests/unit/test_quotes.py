"""CSV files in which quotes are characters like others."""

import csv
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.authoring.layout import guess_format
from registry.errors import RegistryError
from registry.formats.quotes import with_quotes
from registry.kinds.files import Format, batches, columns_of

PLAIN = Format(quoting="none")
DUMP = 'id\tsaid "so"\n1\t"He\n2\tsaid" so\n3\t5\'2"\n4\t"all"\n5\t"",""\n'
ROWS = [("1", '"He'), ("2", 'said" so'), ("3", "5'2\""), ("4", '"all"'), ("5", '"",""')]


def read(path, layout: Format = PLAIN) -> list[tuple]:
    wanted = dict.fromkeys(columns_of(path, layout), pl.String)
    return pl.concat([*batches(path, layout, wanted)]).rows()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_quotes_are_part_of_the_values(tmp_path, encoding, end, mark):
    path, text = tmp_path / "a.tsv", (mark if encoding == "utf-8" else "") + DUMP.replace("\n", end)
    path.write_bytes(text.encode(encoding))
    layout = Format(quoting="none", encoding=encoding)
    assert columns_of(path, layout) == ["id", 'said "so"']
    assert read(path, layout) == ROWS


@given(st.lists(st.lists(st.text("ab\", '", min_size=1), min_size=3, max_size=3), min_size=1))
def test_what_is_read_is_what_a_reader_without_quotes_reads(tmp_path_factory, rows):
    text = "".join(f"{'|'.join(row)}\n" for row in rows)
    path = tmp_path_factory.getbasetemp() / "a.csv"
    path.write_text(text)
    with with_quotes(path, separator="|", encoding="utf-8") as quoted:
        found = [*csv.reader(io.StringIO(quoted.read_text()), delimiter="|", strict=True)]
    assert found == [*csv.reader(io.StringIO(text), delimiter="|", quoting=csv.QUOTE_NONE)] == rows
    layout = Format(quoting="none", separator="|", header=False, names=("a", "b", "c"))
    assert read(path, layout) == [*map(tuple, rows)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'a\tb\n"\t1\n2\n', "line 3: the number of fields is 1, not 2"),
        (b'a\tb\n"\t1\n\n', "line 3 is blank"),
        (b'a\tb\n"\t1\n\xff\t2\n', "not UTF-8: .* in line 3"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, content, message):
    (tmp_path / "a.tsv").write_bytes(content)
    with pytest.raises(RegistryError, match=message):
        read(tmp_path / "a.tsv")


def test_the_layout_is_guessed_without_quotes(tmp_path):
    (tmp_path / "a.csv").write_text('"a;b\n"x;y,1\n"x;y,2\n')
    assert guess_format(tmp_path / "a.csv", PLAIN) == Format(type="csv", separator=";", quoting="none")
