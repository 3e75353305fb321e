"""The kind `conversations`: the example of the page, built, released and read."""

import json

from tokenizers import Tokenizer, models, pre_tokenizers

from clone import under_git
from configured import EXAMPLES, add, cleaning, metadata, only, table


def chat(number: int, *said: str) -> dict:
    roles = ("human", "gpt")
    turns = [{"from": roles[place % 2], "value": text} for place, text in enumerate(said)]
    return {"id": f"c{number}", "conversation": turns}


CHATS = [
    *(chat(number, f"How do I {number}?", "Try again.", "And then?", "Wait.") for number in range(20)),
    chat(20, "Why?", "Because."),
    chat(21, "Anybody?", " "),
    chat(22, "x" * 10_001, "Too long."),
    {"id": "c23", "conversation": chat(23, "Why?", "Because.")["conversation"][::-1]},
]


def test_the_example_is_built_and_released(bare):
    add(only(bare), "helpdesk", EXAMPLES["helpdesk"], {"chats.json": json.dumps(CHATS, indent=1).encode()})
    bare.edit("config/config.yaml", "publish: false", "publish: true")
    clone = under_git(bare)
    assert "helpdesk: released as helpdesk-v1.0.0" in clone.snakemake("--cores", "2")
    found = metadata(clone, "helpdesk")
    assert found["summary"]["found"] == {
        "no_turns": 0,
        "unknown_roles": 0,
        "order": 1,
        "empty_turns": 1,
        "control_characters": 0,
        "unanswered": 1,
        "too_long": 1,
        "in_two_splits": 0,
    }
    assert cleaning(clone, "helpdesk")["first"]["order"] == ["c23"]
    rows = {row["id"]: row for split in ("train", "test") for row in table(clone, "helpdesk", split).to_dicts()}
    assert rows.keys() == {f"c{number}" for number in range(21)}
    assert rows["c20"]["messages"] == [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "Because."},
    ]
    assert rows["c0"]["turns"] == 4
    roles = [found["splits"][split]["role_distribution"] for split in ("train", "test")]
    assert sum(its["user"] for its in roles) == 41
    assert found["metrics"]["train"]["turns_max"] == 4
    assert found["schema"]["features"]["messages"]["dtype"] == "list<struct<role: string, content: string>>"
    assert "turns" in (clone.folder / "reports/helpdesk/overview.svg").read_text(encoding="utf-8")
    assert "Nothing to be done" in clone.snakemake("-n")

    # The tokenizer is a source file: what it counts is part of what is built.
    words = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    config = EXAMPLES["helpdesk"].replace("max_characters: 10_000", "tokenizer: tokenizer.json\n  max_tokens: 13")
    source = "    - {file: tokenizer.json, urls: ['https://example.org/t.json'], accept: [], max_bytes: 100_000}\n"
    config = config.replace("\nparams:", f"{source}\nparams:").replace("turns: {dtype", "tokens: {dtype")
    add(bare, "helpdesk", config, {"tokenizer.json": words.to_str().encode()})
    clone.commit("Count tokens")
    assert "helpdesk: released as helpdesk-v2.0.0 (MAJOR)" in clone.snakemake("--cores", "2")
    rows = {row["id"]: row for split in ("train", "test") for row in table(clone, "helpdesk", split).to_dicts()}
    assert rows["c20"]["tokens"] == 4
    provenance = json.loads((clone.folder / "data/helpdesk/provenance.json").read_text(encoding="utf-8"))
    assert "tokenizers" in provenance["libraries"]
    assert "the contract of their 22 rows" in clone.registry("check", "helpdesk")
    assert max(row["tokens"] for row in rows.values()) == 13
