"""Which address served a source is a note in provenance.json: true, and no reason for a commit or a version."""

import json

from support import ROOT

NAME = "opencloudhub-readmes-rag-evaluation"
RULE = NAME.replace("-", "_")


def test_the_address_that_gave_the_bytes_is_noted_and_another_one_changes_nothing(fresh, http_server):
    content = (ROOT / "data/samples" / NAME / "questions.csv").read_bytes()
    first, second = f"{http_server.url}/first", f"{http_server.url}/second"
    fresh.edit(f"config/datasets/{NAME}.yaml", "source: samples", "source: upstream")
    fresh.edit(f"config/datasets/{NAME}.yaml", "urls: []", f"urls: [{first}, {second}]")
    fresh.commit()
    http_server.serve("/second", content)
    fresh.snakemake("--cores", "2", "--", RULE)
    head, provenance = fresh.head(), fresh.git("show", f"{NAME}-v1.0.0:data/{NAME}/provenance.json")
    (file,) = json.loads(provenance)["source"]["files"]
    assert (file["url"], file["served_by"]) == (first, second)
    assert "served_by" not in (fresh.folder / "data" / NAME / "raw" / "sources.json").read_text()

    http_server.serve("/first", content)
    fresh.snakemake("--cores", "2", "--config", "publish=false", "--forcerun", f"{RULE}_download", "--", RULE)
    written = fresh.folder / "data" / NAME / "provenance.json"
    assert json.loads(written.read_text())["source"]["files"][0]["served_by"] == first
    assert "Nothing new to release" in fresh.registry("publish", "--dry-run")
    assert json.loads(written.read_text())["source"]["files"][0]["served_by"] == first
    assert "Nothing new to release" in fresh.registry("publish")
    assert (fresh.head(), fresh.tags(), fresh.git("status", "--short")) == (head, [f"{NAME}-v1.0.0"], "")
