"""`registry new` of pictures with captions and of documents, each built as it was written."""

from clone import under_git
from configured import metadata, only, table
from pictures import picture, tarred

PAGES = {"index.html": "<title>Handbook</title><p>Here we are", "teams/data.md": "# Data\n", "teams/note.txt": "Who?"}


def test_what_was_written_is_built_at_once(bare, tmp_path):
    clone = under_git(only(bare))
    captions = {f"{seed}.txt": f"picture {seed}\n".encode() for seed in range(12)}
    (tmp_path / "scans.tar.gz").write_bytes(tarred({f"{seed}.jpg": picture(seed) for seed in range(12)} | captions))
    for name, text in PAGES.items():
        (tmp_path / "handbook" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "handbook" / name).write_text(text)
    told = clone.registry("new", "scans", f"{tmp_path}/scans.tar.gz", "--split", "train=0.5,val=0.5")
    assert "messages" in told
    assert "next: look at config/datasets/scans.yaml, then build and release it: registry run scans" in told
    written = "config/datasets/scans.yaml data/samples/scans data/samples/SHA256SUMS"
    assert f"commit them: git add {written} && git commit\n" in told
    told = clone.registry("new", "handbook", f"{tmp_path}/handbook")
    assert "a dataset of the kind documents, samples: 3 in all" in told
    assert "the contract of their" in clone.registry("check", "scans")
    (tmp_path / "wide.csv").write_text(
        "\n".join(",".join(value.format(place) for place in range(70)) for value in ("c{}", "1"))
    )
    told = clone.registry("new", "wide", f"{tmp_path}/wide.csv", "--no-sample")
    assert ("c59 " in told, "c60 " in told, "and 10 more columns\n" in told) == (True, False, True)

    clone.snakemake("scans", "handbook", "--cores", "2")
    train, val = table(clone, "scans", "train"), table(clone, "scans", "val")
    assert train.columns == ["image", "caption", "messages"]
    assert {*train["caption"], *val["caption"]} == {f"picture {seed}" for seed in range(12)}
    prompt = metadata(clone, "scans")["prompt"]
    assert prompt["prompt_uri"] == "config/prompts/caption.yaml"
    assert train["messages"][0][0] == {"role": "user", "content": f"<image>\n{prompt['prompt_text']}"}
    pages = table(clone, "handbook")
    assert pages.select("path", "format", "text").sort("path").rows() == [
        ("index.html", "html", "# Handbook\n\nHere we are\n"),
        ("teams/data.md", "markdown", "# Data\n"),
        ("teams/note.txt", "text", "Who?"),
    ]
    assert "Nothing to be done" in clone.snakemake("-n", "scans", "handbook")

    clone.edit("config/datasets/handbook.yaml", "kind: documents", "kind: documents\nnothing: 1")
    listed = clone.registry("graph")
    assert "handbook is left out: config/datasets/handbook.yaml: not valid: " in listed
    assert "'nothing' was unexpected); what to do: fix these keys" in listed
