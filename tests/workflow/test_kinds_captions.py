"""The kind `captions`: the example of docs/kinds.md."""

import yaml

from clone import under_git
from configured import EXAMPLES, add, metadata, only, table
from pictures import picture, tarred


def members(count: int) -> dict[str, bytes]:
    pictures = {f"{seed}.jpg": picture(seed) for seed in range(count)}
    return pictures | {f"{seed}.txt": f"picture {seed}\n".encode() for seed in range(count)}


def test_captions_are_built_released_and_brought_back(bare, tmp_path):
    files = {**members(12), "12.jpg": picture(12), "12.txt": b" "}
    add(only(bare), "scans", EXAMPLES["scans"], {"scans.tar.gz": tarred(files)})
    bare.edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(bare)
    assert "scans: released as scans-v1.0.0" in clone.snakemake("--cores", "2")

    prompt = yaml.safe_load((clone.folder / "config/prompts/radiology-caption.yaml").read_text(encoding="utf-8"))
    train, test = table(clone, "scans", "train"), table(clone, "scans", "test")
    assert train.height + test.height == 12
    assert train.columns == ["image", "messages", "caption"]
    assert train["messages"].to_list() == [
        [
            {"role": "user", "content": f"<image>\n{prompt['text']}"},
            {"role": "assistant", "content": caption},
        ]
        for caption in train["caption"]
    ]
    assert all(data == files[f"{caption.split()[1]}.jpg"] for data, caption in train.select("image", "caption").rows())
    found = metadata(clone, "scans")
    assert found["prompt"] == {
        "prompt_name": "radiology-caption",
        "prompt_version": 1,
        "prompt_uri": "config/prompts/radiology-caption.yaml",
        "prompt_text": prompt["text"],
    }
    assert found["summary"]["found"]["empty_captions"] == found["summary"]["dropped"] == 1
    assert found["metrics"]["train"]["word_count_mean"] == 2
    assert found["metrics"]["train"]["image_height_mean"] == 40
    assert (clone.folder / "reports/scans/samples.png").is_file()
    assert "Nothing to be done" in clone.snakemake("-n")
    assert "identical" in clone.registry("verify", "scans")
    other = clone.cloned(tmp_path / "clone")
    other.registry("pull", "scans")
    assert table(other, "scans", "test").equals(test)

    clone.edit("config/prompts/radiology-caption.yaml", prompt["text"].split()[0], f"Now {prompt['text'].split()[0]}")
    clone.commit("Ask in other words")
    assert "scans: released as scans-v2.0.0 (MAJOR)" in clone.snakemake("--cores", "2")
    assert table(clone, "scans", "test")["messages"][0][0]["content"].startswith("<image>\nNow ")
    clone.registry("rollback", "scans", "1.0.0")
    assert table(clone, "scans", "train").equals(train)
