"""A dataset whose sources are a folder, which is copied, and a table that stays where it is."""

import json
import os

import pytest
import yaml
from test_own_dataset import FILES, PROCESS, RULES, own  # noqa: F401  it is a fixture

from clone import under_git
from registry.config.load import IN_PLACE
from registry.files import sha256_of

CONFIG = "config/datasets/books.yaml"
TABLE = "title,year,rating\nUlysses,1922,3.7\nOrlando,1928,3.9\nBeloved,1987,3.9\n"


@pytest.fixture
def books(own, tmp_path):  # noqa: F811
    """The dataset of docs/datasets.md, made from what lies beside its repository."""
    table, covers = tmp_path / "next door" / "books.csv", tmp_path / "next door" / "covers"
    covers.mkdir(parents=True)
    table.write_text(TABLE)
    (covers / "Ulysses 1.txt").write_text("blue")
    dataset = yaml.safe_load(FILES[CONFIG])
    dataset["sources"]["files"] = [
        {"file": "books.csv", "urls": [str(table)], "accept": [], "max_bytes": 1000, "copy": False},
        {"folder": "covers", "urls": [f"{covers}/*.txt"], "accept": [], "max_bytes": 1000},
    ]
    dataset["source"] = "upstream"
    (own.folder / CONFIG).write_text(yaml.safe_dump(dataset, sort_keys=False, width=1000))
    own.edit(RULES, 'raw_files("books")', 'fetched_files("books")')
    own.edit(RULES, '"data/books/raw/books.csv"', 'raw_files("books")[0]')
    own.edit(PROCESS, "process(Path(snakemake.input.table)", "process(source_path(snakemake.input.table)")
    own.edit(
        PROCESS, "from registry.workflow", "from registry.sources.in_place import source_path\nfrom registry.workflow"
    )
    return own, table


def test_it_is_built_and_released_and_a_change_is_noticed(books):
    own, table = books  # noqa: F811
    own.edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(own)
    assert "books: released as books-v1.0.0" in clone.snakemake("--cores", "2")
    raw = own.folder / "data/books/raw"
    names = {path.relative_to(raw).as_posix() for path in raw.rglob("*") if path.is_file()}
    assert names - {"covers/.snakemake_timestamp"} == {f"books.csv{IN_PLACE}", "covers/Ulysses 1.txt", "sources.json"}
    sources = json.loads((own.folder / "data/books/provenance.json").read_text())["source"]["files"]
    assert [(file["file"], file.get("files"), file.get("copied")) for file in sources] == [
        ("books.csv", None, False),
        ("covers", 1, None),
    ]
    assert "Nothing to be done" in clone.snakemake("-n")
    assert "identical" in clone.registry("verify", "books-v1.0.0")

    kept = [path.read_bytes() for path in own.folder.rglob("files/md5/*/*") if path.is_file()]
    assert any(b"blue" in content for content in kept)
    assert not any(b"Ulysses,1922" in content for content in kept)
    table.rename(away := table.with_suffix(".away"))
    assert f"{table}: no such file" in clone.registry("verify", "books-v1.0.0", code=1)
    away.rename(table)

    table.write_text(TABLE + "Solaris,1961,4.0\n")
    own.edit(CONFIG, str(table), os.path.relpath(table, own.folder))
    printed = clone.registry("refresh", "books", code=1)
    assert f"books.csv: its sha256 was {sources[0]['sha256']}, and is {sha256_of(table)}" in printed
    assert "It would become 1.1.0 (MINOR):\n  1 row added to all\n" in printed
    assert not [*(own.folder / ".cache").rglob("*.csv")]
    own.edit(CONFIG, os.path.relpath(table, own.folder), str(table))
    assert f"{table}, which was not copied, changed since it was hashed" in clone.registry("publish", code=3)
    assert "expected sha256" in own.snakemake("--cores", "2", "--forcerun", "books_download", "--", "books", fails=True)
    (own.folder / "config/locks/books.yaml").unlink()
    own.snakemake("--cores", "2", "--forcerun", "books_download", "--", "books")
    assert '"best": "Solaris"' in (own.folder / "data/books/metadata.json").read_text()
