"""LangChain's PGVectorStore reads the table as it is."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from postgres import make_version, tag
from registry.vectors.database import connected
from registry.vectors.load import load

CLIENT = Path(__file__).with_name("langchain_client.py")


@pytest.fixture
def client():
    """Start the application, in an environment of its own: its pins disagree with those of the workflow."""
    python = os.environ.get("LANGCHAIN_PYTHON")
    if not python:
        pytest.skip("needs langchain-postgres: set LANGCHAIN_PYTHON to a Python of another environment that has it")
    with subprocess.Popen([python, CLIENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()


def test_hybrid_search_reads_the_table_and_goes_on_after_a_swap(database, tmp_path, client):
    texts = ["about nothing at all", "the nearest by meaning", "only this one says MinIO", "filler", "more filler"]
    versions = [
        make_version(tmp_path, tag(version), rows=len(texts), content=[f"{text} ({version})" for text in texts])
        for version in ("1.0.0", "1.1.0")
    ]
    versions[1].provenance["run"] = {"id": "17", "actor": "ada"}
    place = database.server
    with connected(place) as connection:
        load(connection, database.settings, versions[0], say=print)
        (vector,) = connection.execute(
            "SELECT embedding::text FROM readme_embeddings WHERE metadata->>'chunk_index' = '1'"
        ).fetchone()
    uri = f"postgresql+psycopg://{place.user}:{place.password}@{place.host}:{place.port}/{place.database}"
    print(json.dumps({"uri": uri, "vector": json.loads(vector)}), file=client.stdin, flush=True)
    for version in versions:
        with connected(place) as connection:
            load(connection, database.settings, version, say=print)
        print("MinIO", file=client.stdin, flush=True)
        found = json.loads(client.stdout.readline())
        short = version.name.rpartition("v")[2]
        assert {one["text"] for one in found} == {f"{texts[1]} ({short})", f"{texts[2]} ({short})"}
        assert {one["data_version"] for one in found} == {version.name}
        assert {one["source_repo"] for one in found} == {"repo"}
        assert [one.get("run") for one in found] == [version.provenance.get("run")] * 2
