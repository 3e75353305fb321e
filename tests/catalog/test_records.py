"""What a catalog records of itself, forged or damaged: it is not believed, and what others have stays as it is."""

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.catalog.build import NEWEST, build
from registry.errors import RegistryError
from registry.storage.repository import Repository
from showcase import Showcase, content
from support import examples

RECORDS = ("catalog.json", "records/chats.json", "records/pictures.json")
MINE = ("notes.txt", "datasets/mine.html", "pictures/.mine.partial", "records/mine.json", "../victim.txt")
"""Files of others, in the folder and beside it."""
PATHS = ("notes.txt", "../victim.txt", "static/../../victim.txt", "datasets/..", ".", "", "records/mine.json", "/etc/x")
JUNK = st.one_of(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(PATHS),
    st.lists(st.sampled_from(PATHS)),
    st.sampled_from([[], {}, [[1]], {"__proto__": {}}, "1.2", "1.0.0\n", "../x.png", 10**18, 10**30, -1, "<script>"]),
    st.integers(1, 2000).map(lambda depth: json.loads("[" * depth + "]" * depth)),
)


class Site:
    """A catalog with files of others in it, whose records can be put back."""

    def __init__(self, repository: Repository, place: Path, plain: dict[str, bytes]) -> None:
        self.repository, self.place, self.plain = repository, place, plain
        for path in MINE:
            (place / path).write_text("mine")
        self.whole = plain | dict.fromkeys(MINE[:-1], b"mine")

    def check(self, records: dict[str, bytes]) -> None:
        """Build the catalog again with these records, and then with its own."""
        self._build(records)
        # What is recorded of a dataset that stays is what the list shows of it, as far as it can be.
        told = {"index.html", *RECORDS}
        assert {path: one for path, one in content(self.place).items() if path not in told} == {
            path: one for path, one in self.whole.items() if path not in told
        }
        self._build({path: self.plain[path] for path in RECORDS})
        assert content(self.place) == self.whole
        assert (self.place / MINE[-1]).read_text() == "mine"

    def _build(self, records: dict[str, bytes]) -> None:
        for path, record in records.items():
            (self.place / path).write_bytes(record)
        with suppress(RegistryError):
            build(self.repository, self.place, NEWEST)


@pytest.fixture(scope="module")
def forged_site(small_once: Showcase, small_site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A catalog whose records may be written over."""
    place = tmp_path_factory.mktemp("forged") / "site"
    shutil.copytree(small_site, place)
    return Site(Repository.open(small_once.folder), place, content(small_site))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield where a value of JSON can be changed: what holds it, and its key there."""
    for key in [*value] if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from places(value[key])


@st.composite
def changed(draw: st.DrawFn, record: bytes) -> bytes:
    """Return a record in which something is another value, is not there, or is there, too."""
    value = json.loads(record)
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from([*places(value)] or [([None], 0)]))
        match draw(st.sampled_from(["other", "gone", "more"])):
            case "other":
                holder[key] = draw(JUNK)
            case "gone":
                del holder[key]
            case "more" if isinstance(holder, dict):
                holder[draw(st.sampled_from(["more", "datasets", "key"]))] = draw(JUNK)
            case "more":
                holder.append(draw(JUNK))
    return json.dumps(value).encode()


@settings(max_examples=examples(40))
@given(data=st.data())
def test_a_record_that_was_changed_is_not_believed(forged_site, data):
    forged_site.check({path: data.draw(changed(forged_site.plain[path]), label=path) for path in RECORDS})


@pytest.mark.parametrize(
    "records",
    [
        dict.fromkeys(RECORDS, record)
        for record in (
            b"",
            b"null",
            b"[]",
            b"{}",
            b"\xff",
            b"{" * 9_000,
            b"[" * 9_000_000,
            b'{"datasets": {"chats": 1}}',
        )
    ],
    ids=range(8),
)
def test_a_record_that_is_none_is_not_believed(forged_site, records):
    forged_site.check(records)


def test_a_record_of_others_removes_nothing(forged_site):
    listed = json.loads(forged_site.plain["catalog.json"])
    for name in ("../../victim", "mine/../../..", "mine", "Mine", 7, None):
        record = {"datasets": [*listed["datasets"], *([] if name == "mine" else [name])], "files": [*PATHS, 7, None]}
        forged_site.check({"catalog.json": json.dumps(listed | record).encode()})
    chats = json.loads(forged_site.plain["records/chats.json"])
    for key in ("files", "left"):
        forged_site.check({"records/chats.json": json.dumps(chats | {key: [*chats[key], *PATHS[:3]]}).encode()})
