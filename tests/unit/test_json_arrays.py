"""JSON files that are one array of objects, read as lines."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from registry.errors import RegistryError
from registry.formats import json_arrays
from registry.formats.json_arrays import Lines, is_array, objects
from support import examples

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(st.characters(codec="utf-8")), ANYTHING), max_size=5),
    st.sampled_from([None, 0, 2]),
    st.booleans(),
    st.integers(1, 9),
)
@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_object_is_a_line(tmp_path, monkeypatch, values, indent, ascii_only, chunk):
    monkeypatch.setattr(json_arrays, "CHUNK", chunk)
    path = tmp_path / "a.json"
    path.write_text(
        f"\ufeff {json.dumps(values, indent=indent, ensure_ascii=ascii_only)}\r\n", encoding="utf-8", newline=""
    )
    lines = b"".join(iter(lambda: reader.read(7), b"")) if (reader := Lines(path)) else b""
    assert [json.loads(line) for line in lines.split(b"\n")[:-1]] == values
    assert Lines(path).read() == lines


def test_numbers_stay_as_they_stand(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[{"a": 1.50, "b":\n 12345678901234567890123}]', encoding="utf-8")
    assert [*objects(path)] == ['{"a": 1.50, "b":  12345678901234567890123}']


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not an array"),
        ("{}", "not an array"),
        ("[", "the array does not end"),
        ('[{"a": 1}', "no comma after element 0"),
        ('[{"a": 1},', "the array does not end"),
        ('[{"a": 1},]', "element 1 of its array is no object"),
        ('[{"a": 1} {"a": 2}]', "no comma after element 0"),
        ('[{"a": 1}] {"a": 2}', "something stands after"),
        ("[1, 2]", "element 0 of its array is no object"),
        ('[{"a": 1}, {"a": }]', "element 1 of its array is not sound"),
        ('[{"a": "x', "element 0 of its array is not sound"),
        ('[{"a": ' + "[" * 100_000, "element 0 of its array is not sound"),
    ],
)
def test_what_is_no_array_of_objects_is_refused(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RegistryError, match=f"a.json: {message}"):
        [*objects(path)]


def test_an_object_that_does_not_end_is_not_searched_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(json_arrays, "CHUNK", 10)
    monkeypatch.setattr(json_arrays, "LONGEST", 100)
    path = tmp_path / "a.json"
    path.write_text('[{"a": ' + "1 " * 10_000, encoding="utf-8")
    read = []
    monkeypatch.setattr(
        json_arrays._Text, "more", lambda self, more=json_arrays._Text.more: read.append(1) or more(self)
    )
    with pytest.raises(RegistryError, match="not sound"):
        [*objects(path)]
    assert len(read) < 20


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'[{"a": "\xff"}]')
    with pytest.raises(RegistryError, match="a.json: not UTF-8"):
        [*objects(path)]


@pytest.mark.parametrize(("start", "found"), [("[", True), ("\ufeff \n[", True), ("{", False), ("", False)])
def test_an_array_is_known_by_its_start(tmp_path, start, found):
    (tmp_path / "a").write_text(start, encoding="utf-8")
    assert is_array(tmp_path / "a") == found
