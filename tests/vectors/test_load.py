"""Loading into a real server: what is in the table, what readers see, and what is left alone."""

import json
import threading
from dataclasses import replace

import pyarrow as pa
import pytest

from postgres import PASSWORD, Database, make_version, tag
from registry.errors import RegistryError
from registry.vectors import load as loading
from registry.vectors.database import connected
from registry.vectors.load import load, use
from registry.vectors.settings import Settings
from registry.vectors.tables import our_tables
from support import wait_until


def put(database, version, table="readme_embeddings", keep=3, say=lambda line: None, **options):
    settings = Settings(database.server, table, keep)
    with connected(database.server) as connection:
        return load(connection, settings, version, say=say, **options)


def switch(database, version):
    with connected(database.server) as connection:
        return use(connection, database.settings, version, say=lambda line: None)


def listed(database, table="readme_embeddings"):
    with connected(database.server) as connection:
        return [(one.mark.version, one.serves) for one in our_tables(connection, table)]


def refused(words, action, *arguments, **options):
    with pytest.raises(RegistryError, match=words) as raised:
        action(*arguments, **options)
    assert PASSWORD not in str(raised.value)
    return str(raised.value)


def test_the_table_has_the_columns_indexes_and_metadata_that_readers_expect(database, one):
    done = put(database, one)
    assert (done.state, done.rows, done.table, done.serves) == ("loaded", 40, "readme_embeddings", True)
    columns = database.run(
        "SELECT attname, format_type(atttypid, atttypmod), attnotnull, attgenerated::text FROM pg_attribute"
        " WHERE attrelid = 'readme_embeddings'::regclass AND attnum > 0 ORDER BY attnum"
    )
    assert columns == [
        ("id", "uuid", True, ""),
        ("content", "text", True, ""),
        ("embedding", "vector(8)", True, ""),
        ("metadata", "jsonb", True, ""),
        ("content_tsv", "tsvector", False, "s"),
    ]
    methods = database.run(
        "SELECT amname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam"
        " WHERE indrelid = 'readme_embeddings'::regclass AND indisvalid ORDER BY 1"
    )
    assert methods == [("btree",), ("gin",), ("hnsw",)]
    ((metadata,),) = database.run("SELECT metadata FROM readme_embeddings WHERE metadata->>'chunk_index' = '7'")
    assert metadata == {
        "source_repo": "repo",
        "source_file": "README.md",
        "section_h1": "Title",
        "section_h2": None,
        "section_h3": None,
        "chunk_index": 7,
        "data_version": tag("1.0.0"),
        "dvc_data_version": tag("1.0.0"),
        "embedding_model": "tiny/model",
    }


def test_chunks_name_the_run_that_made_their_version_and_not_the_one_that_loads_them(database, one, monkeypatch):
    run = {"id": "0f4c9a1e", "image": "registry@sha256:0", "actor": "Ada Løvelace"}
    monkeypatch.setenv("REGISTRY_RUN_ID", "of the loader")
    put(database, replace(one, provenance=one.provenance | {"run": run}))
    assert database.run("SELECT DISTINCT metadata->'run' FROM readme_embeddings") == [(run,)]
    assert put(database, replace(one, provenance=one.provenance | {"run": {"id": "another"}})).state == "unchanged"


def test_what_serves_already_is_not_loaded_again(database, one):
    put(database, one)
    before = database.run("SELECT 'readme_embeddings'::regclass::oid")
    assert put(database, one).state == "unchanged"
    assert database.run("SELECT 'readme_embeddings'::regclass::oid") == before


def test_the_newest_versions_stay_and_can_serve_again(database, tmp_path):
    for number in range(5):
        put(database, make_version(tmp_path, tag(f"1.{number}.0"), rows=5), keep=3)
    assert listed(database) == [(tag("1.4.0"), True), (tag("1.3.0"), False), (tag("1.2.0"), False)]
    assert len(database.tables()) == 3
    assert switch(database, "1.2.0").state == "switched"
    assert database.serves() == {(tag("1.2.0"), 5)}
    assert switch(database, tag("1.2.0")).state == "unchanged"
    put(database, make_version(tmp_path, tag("1.5.0"), rows=5), keep=2)
    assert listed(database) == [(tag("1.5.0"), True), (tag("1.2.0"), False)]


def test_a_version_that_is_there_is_switched_to_and_not_copied(database, one, two):
    put(database, one)
    put(database, two)
    oid = database.run(
        "SELECT oid::text FROM pg_class WHERE relname LIKE 'readme_embeddings_v1_0_0_%' AND relkind = 'r'"
    )
    assert put(database, one).state == "switched"
    assert database.run("SELECT 'readme_embeddings'::regclass::oid::text") == oid


def test_a_version_that_serves_already_can_be_chosen_and_let_go(database, one):
    def chosen():
        with connected(database.server) as connection:
            return our_tables(connection, "readme_embeddings")[0].mark.chosen

    put(database, one)
    assert not chosen()
    switch(database, "1.0.0")
    assert chosen()
    put(database, one)
    assert not chosen()


def test_another_model_of_the_same_dimension_is_announced(database, one, two):
    said = []
    put(database, one, say=said.append)
    two.metadata["model"] |= {"name": "other/model", "sha256": "1" * 64}
    put(database, two, say=said.append)
    line = f"{tag('1.1.0')} is of another model: readers must embed questions with other/model from now on"
    assert [text for text in said if "another model" in text] == [line]


def test_what_was_chosen_serves_until_there_is_something_new(database, one, two, tmp_path):
    put(database, one)
    put(database, two)
    switch(database, "1.0.0")
    assert put(database, two, overrule=False).serves is False
    assert put(database, one, overrule=False).state == "unchanged"
    assert put(database, two, overrule=False).state == "unchanged"
    assert database.serves() == {(tag("1.0.0"), 40)}
    put(database, make_version(tmp_path, tag("1.2.0"), rows=5), overrule=False)
    assert database.serves() == {(tag("1.2.0"), 5)}
    assert put(database, two, overrule=False).state == "switched"
    assert database.serves() == {(tag("1.1.0"), 55)}


def test_versions_that_do_not_serve_do_not_pile_up(database, tmp_path):
    for number in range(5):
        put(database, make_version(tmp_path, tag(f"1.{number}.0"), rows=5), keep=2, serve=number == 0)
    assert listed(database) == [(tag("1.0.0"), True), (tag("1.4.0"), False)]


def test_a_version_that_is_not_loaded_cannot_be_used(database, one):
    put(database, one)
    assert "registry vectors load 9.9.9" in refused("9.9.9 is not loaded .*v1.0.0", switch, database, "9.9.9")


def test_a_version_loaded_beside_the_one_that_serves_leaves_it_alone(database, one, two):
    put(database, one)
    assert put(database, two, serve=False).serves is False
    assert database.serves() == {(tag("1.0.0"), 40)}
    assert listed(database) == [(tag("1.0.0"), True), (tag("1.1.0"), False)]


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_readers_see_one_whole_version_at_any_time_during_20_reloads(database, one, two, isolation):
    put(database, one, keep=1)
    whole = {((tag("1.0.0"), 40),), ((tag("1.1.0"), 55),)}
    done, seen, failures = threading.Event(), set(), []
    query = (
        "SELECT metadata->>'data_version', count(*) FROM readme_embeddings"
        " WHERE id IN (SELECT id FROM readme_embeddings ORDER BY embedding <=> '[1,0,0,0,0,0,0,0]' LIMIT 1000)"
        " GROUP BY 1"
    )

    def read():
        try:
            with database.connect() as connection:
                connection.execute("SET enable_indexscan = off")
                while not done.is_set():
                    with connection.transaction():
                        connection.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
                        connection.execute("SELECT 1")
                        seen.add(tuple(connection.execute(query).fetchall()))
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(20):
            assert put(database, (two, one)[number % 2], keep=1).state == "loaded"
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert failures == []
    assert seen == whole


def test_a_snapshot_from_before_the_load_does_not_find_an_empty_table(database, one, two):
    put(database, one)
    with database.connect() as reader, reader.transaction():
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT 1")
        put(database, two)
        assert reader.execute("SELECT count(*) FROM readme_embeddings").fetchone() == (55,)


def test_a_prepared_statement_reads_on(database, one, two):
    put(database, one)
    with database.connect() as reader:
        query = "SELECT count(*), min(embedding <=> '[1,0,0,0,0,0,0,0]') FROM readme_embeddings"
        counts = [reader.execute(query, prepare=True).fetchone()[0]]
        put(database, two)
        counts.append(reader.execute(query, prepare=True).fetchone()[0])
    assert counts == [40, 55]


def test_a_reader_that_does_not_end_stops_neither_the_others_nor_the_version_that_serves(
    database, one, two, monkeypatch
):
    monkeypatch.setattr(loading, "LOCK_MS", 50)
    monkeypatch.setattr(loading, "PAUSE_S", 0.05)
    monkeypatch.setattr(loading, "ATTEMPTS", 4)
    put(database, one)
    before = database.tables()
    with database.connect() as slow, slow.transaction():
        slow.execute("SELECT count(*) FROM readme_embeddings")
        refused("keeps readme_embeddings busy.*the version that serves still does", put, database, two)
        assert database.serves() == {(tag("1.0.0"), 40)}
    assert database.tables() == before
    assert put(database, two).state == "loaded"


def test_a_load_waits_for_a_reader_that_ends(database, one, two, monkeypatch):
    monkeypatch.setattr(loading, "LOCK_MS", 50)
    monkeypatch.setattr(loading, "PAUSE_S", 0.05)
    put(database, one)
    with database.connect() as slow:
        slow.execute("BEGIN")
        slow.execute("SELECT count(*) FROM readme_embeddings")
        said, waiting = [], "waiting for a transaction that reads readme_embeddings"
        loader = threading.Thread(target=put, args=(database, two), kwargs={"say": said.append})
        loader.start()
        wait_until(lambda: waiting in said)
        assert database.serves() == {(tag("1.0.0"), 40)}
        slow.execute("COMMIT")
        loader.join()
    assert said.count(waiting) == 1
    assert database.serves() == {(tag("1.1.0"), 55)}


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
def test_two_loaders_at_once_wait_for_each_other(database, tmp_path, isolation):
    database.run(f"ALTER DATABASE {database.server.database} SET default_transaction_isolation = '{isolation}'")
    versions = [make_version(tmp_path, tag(f"1.{number}.0"), rows=30) for number in range(4)]
    failures = []

    def run(version):
        try:
            put(database, version, keep=10)
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    loaders = [threading.Thread(target=run, args=(version,)) for version in versions]
    for loader in loaders:
        loader.start()
    for loader in loaders:
        loader.join()
    assert failures == []
    assert sorted(name for name, _ in listed(database)) == [version.name for version in versions]


@pytest.mark.parametrize("limit", ["statement_timeout", "lock_timeout"])
def test_a_load_waits_for_another_however_short_the_limits_of_the_user(database, one, limit):
    database.run(f"ALTER DATABASE {database.server.database} SET {limit} = '300ms'")
    with connected(database.server) as first, first.transaction():
        loading._begin(first, database.settings, print)
        second = threading.Thread(target=put, args=(database, one))
        second.start()
        waited = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND now() - query_start > '400ms'"
        wait_until(lambda: database.run(waited))
        assert database.tables() == []
    second.join()
    assert database.serves() == {(tag("1.0.0"), 40)}


def test_other_tables_are_never_touched(database, one, two, tmp_path):
    database.run(
        "CREATE TABLE customers (id int)",
        "INSERT INTO customers VALUES (1)",
        "CREATE TABLE readme_embeddings_v1_0_0 (id int)",
        "CREATE VIEW readme_embeddings_old AS SELECT 1",
    )
    for version in (one, two, make_version(tmp_path, tag("2.0.0"), rows=3)):
        put(database, version, keep=1)
    database.run("ALTER TABLE readme_embeddings RENAME TO my_backup")
    for version in (one, two):
        put(database, version, keep=1)
    assert database.tables() == ["customers", "my_backup", "readme_embeddings", "readme_embeddings_v1_0_0"]
    assert database.run("SELECT * FROM customers") == [(1,)]


@pytest.mark.parametrize(
    "comment",
    [
        '{"data-registry": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"data-registry": ' + "[" * 4_000 + "]" * 4_000 + "}",
        '{"data-registry": {"table": "readme_embeddings", "version": ["a"], "content_hash": 1, "model": [],'
        ' "dimension": 8, "rows": "many", "since": null, "chosen": 1}}',
        '{"data-registry": ' + "9" * 9_000 + "}",
    ],
    ids=["large", "deep", "other types", "digits"],
)
def test_a_comment_that_is_not_the_registrys_is_not_taken_for_one(database, one, comment):
    database.run("CREATE TABLE other (id int)", f"COMMENT ON TABLE other IS '{comment}'")
    with connected(database.server) as connection:
        load(connection, database.settings, one, say=print)
        assert [table.name for table in our_tables(connection, "readme_embeddings")] == ["readme_embeddings"]
        with pytest.raises(RegistryError, match="was not made by this registry"):
            our_tables(connection, "other")


def test_an_old_version_that_is_read_does_not_hold_up_the_next(database, one, two, tmp_path):
    put(database, one)
    put(database, two)
    (old,) = (name for name in database.tables() if name != "readme_embeddings")
    with database.connect() as slow, slow.transaction():
        slow.execute(f"SELECT count(*) FROM {old}")
        three = make_version(tmp_path, tag("1.2.0"), rows=5)
        loader = threading.Thread(target=put, args=(database, three), kwargs={"keep": 1})
        loader.start()
        loader.join(20)
        assert not loader.is_alive()
    assert listed(database) == [(tag("1.2.0"), True), (tag("1.0.0"), False)]


def test_an_old_version_that_is_in_use_keeps_no_other_from_going(database, tmp_path):
    versions = [make_version(tmp_path, tag(f"1.{number}.0"), rows=5) for number in range(5)]
    put(database, versions[0])
    database.run("CREATE VIEW mine AS SELECT id FROM readme_embeddings")
    for version in versions[1:]:
        put(database, version, keep=2)
    assert listed(database) == [(tag("1.4.0"), True), (tag("1.3.0"), False), (tag("1.0.0"), False)]
    assert database.run("SELECT count(*) FROM mine") == [(5,)]


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE readme_embeddings (id int)",
        "CREATE VIEW readme_embeddings AS SELECT 1 AS id",
        "CREATE TABLE readme_embeddings (id int); COMMENT ON TABLE readme_embeddings IS '{\"data-registry\": 1}'",
    ],
)
def test_a_table_of_that_name_that_is_not_ours_is_left_alone(database, one, made):
    database.run(made)
    message = refused("public.readme_embeddings was not made by this registry", put, database, one)
    assert message.startswith(f"{database.server}: ")
    assert "PGVECTOR_TABLE_NAME" in message
    assert [columns for (columns,) in database.run("SELECT count(*) FROM pg_attribute WHERE attname = 'id' AND attrelid"
                                                   " = 'readme_embeddings'::regclass")] == [1]  # fmt: skip


@pytest.mark.parametrize(
    "table",
    ['we"ird', "sp ace", "Über-Größe", "select", "a'b;--", "x" * 63, "ü" * 31, 'rob"; DROP TABLE customers; --'],
)
def test_any_name_is_a_name(database, one, two, table):
    database.run("CREATE TABLE customers (id int)")
    for version in (one, two):
        put(database, version, table)
    quoted = table.replace('"', '""')
    assert database.serves(quoted) == {(tag("1.1.0"), 55)}
    assert listed(database, table) == [(tag("1.1.0"), True), (tag("1.0.0"), False)]
    assert len(database.tables()) == 3
    assert all(len(name.encode()) <= 63 for name in database.tables())


def test_two_names_in_one_database_do_not_meet(database, one, two):
    put(database, one, "first", keep=1)
    put(database, one, "first_v1_0_0", keep=1)
    put(database, two, "first", keep=1)
    assert listed(database, "first") == [(tag("1.1.0"), True)]
    assert listed(database, "first_v1_0_0") == [(tag("1.0.0"), True)]


def test_the_same_tag_with_other_content_is_another_version(database, one, tmp_path):
    put(database, one)
    put(database, make_version(tmp_path, one.name, rows=12, seed=5))
    assert database.serves() == {(one.name, 12)}
    assert len(database.tables()) == 2


def test_vectors_of_another_length_are_refused(database, one, tmp_path):
    put(database, one)
    before = database.tables()
    other = make_version(tmp_path, tag("2.0.0"), dimension=9)
    refused("vectors of 8 numbers, these have 9: its readers would fail", put, database, other)
    put(database, other, serve=False)
    refused("vectors of 8 numbers, these have 9", switch, database, "2.0.0")
    assert set(before) < set(database.tables())
    assert database.serves() == {(one.name, 40)}


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"id": ["no uuid"] * 40}, "badly formed"),
        ({"id": ["53d58d80-3815-53af-b4e8-ffa7bb97d3ad"] * 40}, "duplicate key"),
        ({"content": pa.nulls(40, pa.string())}, "null value in column"),
        ({"embedding": [[0.5] * 7] * 40}, "not the embeddings of"),
    ],
)
def test_a_damaged_file_is_one_message_and_leaves_nothing(database, one, tmp_path, columns, words):
    put(database, one)
    before = database.tables()
    refused(words, put, database, make_version(tmp_path, tag("2.0.0"), **columns))
    assert database.tables() == before
    assert database.serves() == {(one.name, 40)}


@pytest.mark.parametrize("what", ["rows", "dimension"])
def test_a_file_that_is_not_what_its_metadata_says_is_refused(database, one, tmp_path, what):
    put(database, one)
    other = make_version(tmp_path, tag("2.0.0"))
    if what == "rows":
        other.metadata["splits"]["all"]["num_samples"] = 41
        words = "should have 41 chunks with vectors of 8 numbers, but 40 with 8 arrived"
    else:
        other = make_version(tmp_path, tag("2.0.0"), embedding=make_embedding(40, 9))
        words = "expected 8 dimensions, not 9"
    refused(words, put, database, other)
    assert database.serves() == {(one.name, 40)}


def make_embedding(rows, dimension):
    return pa.FixedSizeListArray.from_arrays(pa.array([0.5] * rows * dimension, pa.float32()), dimension)


def test_a_file_that_is_no_parquet_or_is_gone_is_named(database, one):
    one.local("").write_bytes(b"junk")
    refused(f"{one.local('')}: not the embeddings of", put, database, one)
    one.local("").unlink()
    refused(f"{one.local('')}: not the embeddings of", put, database, one)
    assert database.tables() == []


def test_a_nul_character_does_not_stop_a_load(database, tmp_path):
    version = make_version(tmp_path, tag("1.0.0"), content=["a\0b"] * 40, section_h1=["\0"] * 40)
    put(database, version)
    assert database.run("SELECT DISTINCT content, metadata->>'section_h1' FROM readme_embeddings") == [("a�b", "�")]


@pytest.mark.parametrize("grantee", ["the reader", "PUBLIC"])
def test_who_may_read_one_version_may_read_the_next(database, one, two, user, grantee):
    put(database, one)
    reader, other = user("reader"), user("other")
    database.run(f"GRANT SELECT ON readme_embeddings TO {grantee.replace('the reader', reader.server.user)}")
    put(database, two)
    may = f"SELECT has_table_privilege('{other.server.user}', 'readme_embeddings', 'SELECT')"
    assert database.run(may) == [(grantee == "PUBLIC",)]
    assert reader.serves() == {(tag("1.1.0"), 55)}


class TestRights:
    """A user who lacks a right gets one message that says which."""

    def test_to_create_the_extension(self, database, user, one):
        loader = user("loader")
        database.run(f"GRANT CREATE ON SCHEMA public TO {loader.server.user}")
        message = refused("extension vector is not in this database, and this user may not", put, loader, one)
        assert "CREATE EXTENSION vector" in message
        database.run("CREATE EXTENSION vector")
        assert put(loader, one).state == "loaded"

    def test_to_create_tables(self, database, user, one):
        database.run("CREATE EXTENSION vector")
        refused("permission denied for schema public", put, user("loader"), one)

    def test_to_rename_the_table_of_another(self, database, user, one, two):
        put(database, one)
        loader = user("loader")
        database.run(f"GRANT CREATE ON SCHEMA public TO {loader.server.user}")
        refused("must be owner of table readme_embeddings", put, loader, two)
        assert database.serves() == {(tag("1.0.0"), 40)}
        assert database.tables() == ["readme_embeddings"]

    def test_a_schema_that_is_not_there(self, database, one):
        database.run(f"ALTER DATABASE {database.server.database} SET search_path = nowhere")
        refused("search_path names no schema", put, database, one)


def test_a_server_without_the_extension_is_named(database, one, postgres):
    control = postgres.programs.parent / "share/postgresql/extension/vector.control"
    try:
        database.run("ALTER SYSTEM SET extension_control_path = '/nowhere'", "SELECT pg_reload_conf()")
        refused("this server has no extension vector", put, database, one)
    finally:
        database.run("ALTER SYSTEM RESET extension_control_path", "SELECT pg_reload_conf()")
    assert control.is_file()


@pytest.mark.parametrize(
    ("changed", "words", "hint"),
    [
        ({"password": "wrong"}, "password authentication failed", "PGVECTOR_USER and PGVECTOR_PASSWORD"),
        ({"user": "nobody"}, "password authentication failed", "PGVECTOR_USER and PGVECTOR_PASSWORD"),
        ({"database": "none"}, 'database "none" does not exist', "PGVECTOR_DATABASE"),
        ({"port": 1}, "cannot connect: .*refused", "PGVECTOR_HOST and PGVECTOR_PORT"),
        ({"host": "no.such.host.invalid"}, "cannot connect", "PGVECTOR_HOST and PGVECTOR_PORT"),
    ],
)
def test_a_server_that_cannot_be_reached_is_one_message_without_the_password(database, one, changed, words, hint):
    place = Database(type(database.server)(**{**vars(database.server), **changed}))
    assert hint in refused(words, put, place, one)


def test_a_server_without_ssl_where_it_is_asked_for_is_one_message(database, one, monkeypatch):
    monkeypatch.setenv("PGSSLMODE", "require")
    assert "PGSSLMODE" in refused("cannot connect: .*SSL", put, Database(database.server), one)


def test_a_connection_that_dies_in_the_middle_is_one_message(database, one, two, monkeypatch):
    put(database, one)
    before = database.tables()

    def shot(connection, *arguments):
        database.run(f"SELECT pg_terminate_backend({connection.info.backend_pid})")

    monkeypatch.setattr(loading, "_check", shot)
    refused("the database gave up: .*the version that serves still does", put, database, two)
    assert database.tables() == before
    assert database.serves() == {(one.name, 40)}


def of(version, dataset):
    """The same version as one of another dataset."""
    return replace(version, dataset=dataset, name=f"{dataset}-v1.0.0")


def test_no_dataset_takes_the_table_of_another(database, one):
    settings = Settings(database.server, "notes", 3, "notes")
    with connected(database.server) as connection:
        load(connection, settings, of(one, "notes"), say=print)
        with pytest.raises(RegistryError, match="public.notes holds notes, which is left alone"):
            load(connection, replace(settings, dataset="others"), of(one, "others"), say=print)
        database.run("ALTER TABLE notes RENAME TO notes_v1_0_0_" + one.content_hash.partition(":")[2][:8])
        assert our_tables(connection, "notes", "others") == []
        assert [table.mark.dataset for table in our_tables(connection, "notes", "notes")] == ["notes"]


def test_the_mark_of_the_first_dataset_is_what_it_was(database, one):
    put(database, one)
    ((comment,),) = database.run("SELECT obj_description('readme_embeddings'::regclass)")
    assert "dataset" not in json.loads(comment)["data-registry"]


@pytest.mark.parametrize("dataset", ["videos", "v-notes", "v1"])
def test_a_version_is_found_by_its_tag_whatever_the_name_begins_with(database, one, dataset):
    settings = Settings(database.server, "notes", 3, dataset)
    with connected(database.server) as connection:
        load(connection, settings, of(one, dataset), say=print)
        for name in (f"{dataset}-v1.0.0", "1.0.0", "v1.0.0"):
            assert use(connection, settings, name, say=print).state == "unchanged"
        for name in ("other-v1.0.0", "2.0.0", dataset):
            with pytest.raises(RegistryError, match="is not loaded"):
                use(connection, settings, name, say=print)
