"""The kind `conversations`: what turns are made of, and what is wrong with some."""

import json
import re
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from registry.config.kinds import check_kind
from registry.config.schema import breaches
from registry.describe.turns import Conversations, Turns, is_conversation
from registry.errors import RegistryError
from registry.kinds import tables
from registry.kinds.columns import arrow_schema
from registry.kinds.conversations import POLICIES, Lengths, find_problems, read
from registry.kinds.messages import TYPE
from registry.kinds.tables import write_dataset
from support import ROOT

SCHEMA = ROOT / "scripts/registry/kinds/conversations.schema.yaml"
SPEC = {"list": {"struct": {"role": {"dtype": "string"}, "content": {"dtype": "string"}}}}
CONTRACT = {"messages": SPEC}
HELLO = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}]
SHARED = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello!"}]


def turns(said: str) -> list[dict[str, str]]:
    """Return a conversation in which those speak, one after the other, whose roles begin with these letters."""
    names = {"s": "system", "u": "user", "a": "assistant", "t": "tool", "x": "narrator", "S": "System"}
    return [{"role": names[letter], "content": "words"} for letter in said]


def found(folder: Path, rows: list, contract=CONTRACT, name="chats.jsonl", more: dict[str, Path] = {}, **params):  # noqa: B006
    """Return what is read of a file with these rows."""
    path = folder / name
    if name.endswith(".jsonl"):
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    elif name.endswith(".json"):
        path.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    else:
        pl.DataFrame(rows).write_parquet(path)
    if "pairs" not in params:
        params = {"messages": "messages"} | params
    [its] = read({name: path, **more}, contract, params)
    return its


def with_problem(folder: Path, problem: str, rows: list, **params) -> list[bool]:
    return found(folder, [{"messages": row} for row in rows], **params).problems[problem].to_list()


def test_a_conversation_is_no_copy_of_one_that_is_dropped(tmp_path):
    rows = [{"messages": turns("ua"), "part": "train"}, {"messages": turns("ua"), "part": "test"}]
    split = {"column": "part", "values": {"train": ["train"], "test": ["test"]}}
    assert found(tmp_path, rows, split=split).problems["in_two_splits"].to_list() == [True, False]
    said = {**SPEC["list"]["struct"], "role": {"dtype": "string", "values": ["user"]}}
    contract, problems = {"messages": {"list": {"struct": said}}}, {"unknown_roles": "drop"}
    assert found(tmp_path, rows, contract, split=split, problems=problems).problems["in_two_splits"].sum() == 0


@pytest.mark.parametrize("name", ["chats.jsonl", "chats.json", "chats.parquet"])
@pytest.mark.parametrize("chat", [HELLO, SHARED, [{"weight": 1, **turn} for turn in HELLO]])
def test_turns_of_all_forms_and_formats_are_messages(tmp_path, name, chat):
    its = found(tmp_path, [{"id": 7, "chat": chat}], name=name, messages="chat")
    assert its.samples["messages"].dtype == TYPE
    assert its.samples["messages"].to_list() == [HELLO]
    assert its.keys.to_list() == [f"{name}:0"]
    assert not any(flags.any() for flags in its.problems.values())


def test_pairs_are_messages(tmp_path):
    rows = [
        {"instruction": "Add", "input": "1 and 2", "output": "3", "sys": "Be brief."},
        {"instruction": "Sing", "input": " ", "output": "La", "sys": None},
        {"instruction": "Say", "output": None, "sys": ""},
        {"input": "x", "output": "y"},
    ]
    pairs = {"instruction": "instruction", "input": "input", "output": "output", "system": "sys"}
    its = found(tmp_path, rows, pairs=pairs)
    system, user = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "Add\n\n1 and 2"}
    assert its.samples["messages"].dtype == TYPE
    assert its.samples["messages"].to_list() == [
        [system, user, {"role": "assistant", "content": "3"}],
        [{"role": "user", "content": "Sing"}, {"role": "assistant", "content": "La"}],
        [{"role": "user", "content": "Say"}, {"role": "assistant", "content": None}],
        [{"role": "user", "content": None}, {"role": "assistant", "content": "y"}],
    ]
    assert its.problems["empty_turns"].to_list() == [False, False, True, True]


def test_pairs_need_neither_input_nor_system(tmp_path):
    rows = [{"q": "Why?", "a": "Because."}]
    its = found(tmp_path, rows, name="chats.json", pairs={"instruction": "q", "output": "a"})
    assert [turn["content"] for turn in its.samples["messages"][0]] == ["Why?", "Because."]


def test_pairs_can_be_in_a_table(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text('q,a\n"Why,\nthough?",Because.\n', encoding="utf-8")
    [its] = read({"pairs.csv": path}, CONTRACT, {"pairs": {"instruction": "q", "output": "a"}})
    assert [turn["content"] for turn in its.samples["messages"][0]] == ["Why,\nthough?", "Because."]


def test_a_conversation_in_two_splits_is_one_too_many_in_the_lower(tmp_path):
    files = {}
    for split, chats in {"train": [HELLO, turns("ua"), []], "test": [SHARED, []]}.items():
        files[split] = tmp_path / f"{split}.jsonl"
        files[split].write_text("".join(f"{json.dumps({'messages': chat})}\n" for chat in chats))
    params = {"messages": "messages", "split": {"files": {"train": ["train"], "test": ["test"]}}}
    its = [*read(files, CONTRACT, params | {"format": {"type": "jsonl"}})]
    assert [rows.problems["in_two_splits"].to_list() for rows in its] == [[True, False, False], [False, False]]


def test_a_column_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RegistryError, match=r"chats.jsonl: there is no turns: it has id, messages"):
        found(tmp_path, [{"id": 1, "messages": HELLO}], messages="turns")
    assert with_problem(tmp_path, "no_turns", [None]) == [True]


def test_a_csv_file_has_no_turns(tmp_path):
    (tmp_path / "chats.csv").write_text("messages\n[]\n")
    with pytest.raises(RegistryError, match="chats.csv: a CSV file has no lists of turns"):
        [*read({"chats.csv": tmp_path / "chats.csv"}, CONTRACT, {"messages": "messages"})]


def test_further_columns_and_keys_are_those_of_the_file(tmp_path):
    contract = {"id": {"dtype": "string"}, "messages": SPEC, "turns": {"dtype": "int64"}, "lang": {"dtype": "string"}}
    rows = [{"messages": HELLO, "n": "a", "language": "de"}, {"messages": [], "n": "b", "language": "fr"}]
    its = found(tmp_path, rows, contract, key="id", columns={"id": "n", "lang": "language"})
    assert its.samples.columns == ["id", "messages", "turns", "lang"]
    assert its.samples.drop("messages").rows() == [("a", 2, "de"), ("b", 0, "fr")]
    assert its.keys.to_list() == ["a", "b"]


def test_a_column_of_the_file_can_be_called_like_a_length(tmp_path):
    contract = {"messages": SPEC, "turns": {"dtype": "int64"}}
    its = found(tmp_path, [{"messages": HELLO, "turns": 40}], contract, columns={"turns": "turns"})
    assert its.samples["turns"].to_list() == [40]


def test_lengths_and_limits_in_characters_and_tokens(tmp_path):
    words = Tokenizer(models.WordLevel({"?": 0, "words": 1}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.enable_truncation(1)
    words.enable_padding(length=50)
    words.save(str(tmp_path / "tokenizer.json"))
    contract = CONTRACT | {name: {"dtype": "int64"} for name in ("characters", "tokens")}
    more = {"tokenizer.json": tmp_path / "tokenizer.json"}
    rows = [{"messages": HELLO}, {"messages": turns("uaua")}, {"messages": [{"role": "user", "content": None}]}]
    its = found(tmp_path, rows, contract, more=more, tokenizer="tokenizer.json", max_tokens=3)
    assert its.samples["characters"].to_list() == [8, 20, 0]
    assert its.samples["tokens"].to_list() == [3, 4, 0]
    assert its.problems["too_long"].to_list() == [False, True, False]
    assert with_problem(tmp_path, "too_long", [HELLO, turns("uaua")], max_characters=20, max_turns=3) == [False, True]
    assert with_problem(tmp_path, "too_long", [HELLO, turns("uaua")], max_characters=7) == [True, True]


def test_a_tokenizer_that_is_none_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    more = {"tokenizer.json": tmp_path / "tokenizer.json"}
    with pytest.raises(RegistryError, match="tokenizer.json: not a tokenizer"):
        found(tmp_path, [{"messages": HELLO}], more=more, tokenizer="tokenizer.json", max_tokens=3)


def test_conversations_without_turns_are_found(tmp_path):
    assert with_problem(tmp_path, "no_turns", [HELLO, [], None]) == [False, True, True]
    assert with_problem(tmp_path, "order", [HELLO, [], None]) == [False] * 3


ORDERS = {
    **dict.fromkeys(("ua", "u", "uaua", "uau", "sua", "s", "uata", "uatta", "uatat", "uatau"), False),
    **dict.fromkeys(("a", "au", "uu", "uaa", "us", "usa", "ssua", "ut", "sa", "uatu", "suau" + "u"), True),
}


def test_system_comes_first_and_the_others_take_turns(tmp_path):
    assert with_problem(tmp_path, "order", [turns(said) for said in ORDERS]) == [*ORDERS.values()]


@given(st.lists(st.text("suat", max_size=9), max_size=20))
def test_the_order_is_that_of_who_may_follow_whom(chats):
    may_follow = {"": "u", "u": "a", "a": "ut", "t": "at"}
    expected = []
    for said in chats:
        rest = said.removeprefix("s")
        expected.append(
            any(after not in may_follow.get(before, "") for before, after in zip(["", *rest], rest, strict=False))
        )
    messages = pl.Series([turns(said) for said in chats], dtype=TYPE)
    found = find_problems(messages, SPEC, {}, Lengths(None))
    assert found["order"].to_list() == expected
    assert found["unanswered"].to_list() == [bool(said) and said[-1] != "a" for said in chats]
    assert found["no_turns"].to_list() == [not said for said in chats]


def test_roles_that_nobody_knows_are_found_and_have_no_order(tmp_path):
    rows = [turns("uxa"), turns("Sua"), turns("au"), [{"role": None, "content": "a"}], [None]]
    assert with_problem(tmp_path, "unknown_roles", rows) == [True, True, False, True, True]
    assert with_problem(tmp_path, "order", rows) == [False, False, True, False, False]


def test_roles_are_those_that_the_contract_allows_under_the_names_of_the_params(tmp_path):
    values = {"dtype": "string", "values": ["user", "assistant"]}
    contract = {"messages": {"list": {"struct": {"role": values, "content": {"dtype": "string"}}}}}
    rows = [turns("sua"), turns("xa")]
    its = found(tmp_path, [{"messages": row} for row in rows], contract, roles={"narrator": "user"})
    assert its.problems["unknown_roles"].to_list() == [True, False]
    assert its.samples["messages"][1].to_list()[0]["role"] == "user"


def test_turns_in_which_nothing_is_said_are_found(tmp_path):
    blank = [[{"role": "user", "content": said}] for said in (" \n", "\u200b", "", None, "a")]
    assert with_problem(tmp_path, "empty_turns", blank) == [True, True, True, True, False]


def test_control_characters_are_found(tmp_path):
    chats = [[{"role": "user", "content": said}] for said in ("a\x00", "a\tb\r\nc", "\x1b[31m")]
    assert with_problem(tmp_path, "control_characters", chats) == [True, False, True]


def test_questions_without_an_answer_are_counted(tmp_path):
    assert with_problem(tmp_path, "unanswered", [turns("u"), turns("ua"), turns("uau"), turns("uat")]) == [
        True,
        False,
        True,
        True,
    ]
    assert POLICIES["unanswered"] == "keep"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"messages": "Hi"}, "not JSON lines of messages"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "not JSON lines of messages"),
        ({"messages": [[HELLO]]}, "not JSON lines of messages"),
    ],
)
def test_what_is_no_conversation_is_refused(tmp_path, row, message):
    with pytest.raises(RegistryError, match=message):
        found(tmp_path, [row])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["Hi"], "messages has (String|Categorical)"),
        ([["Hi"]], r"messages has List\((String|Categorical)\)"),
        ([[{"role": "user"}]], "messages has lists of {role}"),
        ([[{"role": "user", "content": [1]}]], "what is said in messages is no text"),
    ],
)
def test_what_is_no_conversation_in_parquet_is_refused(tmp_path, column, message):
    with pytest.raises(RegistryError, match=f"chats.parquet: {message}"):
        found(tmp_path, [{"messages": value} for value in column], name="chats.parquet")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "not valid under any"),
        ({"messages": "a", "pairs": {"instruction": "a", "output": "b"}}, "valid under each"),
        ({"pairs": {"instruction": "a"}}, "'output' is a required property"),
        ({"messages": "a", "max_tokens": 5}, "'tokenizer' is a dependency"),
        ({"messages": "a", "roles": {"bot": "robot"}}, "'robot' is not one of"),
    ],
)
def test_params_that_are_wrong_are_named(params, message):
    assert message in "\n".join(breaches(params, SCHEMA))


@pytest.mark.parametrize(
    ("params", "columns", "message"),
    [
        ({}, {"id": {}}, "contract.columns.messages: let it be"),
        ({}, {"messages": {"dtype": "string"}}, "contract.columns.messages: let it be"),
        ({}, {"messages": {"list": {"struct": {"content": {}, "role": {}}}}}, "contract.columns.messages: let it be"),
        ({}, CONTRACT | {"tokens": {"dtype": "int64"}}, "params.tokenizer: the contract's column tokens needs one"),
        ({"tokenizer": "tokenizer.jsn"}, CONTRACT, "perhaps you mean tokenizer.json"),
        ({"split": {"files": {"train": ["tokenizer.json"]}}}, CONTRACT, "it does not name a.json"),
    ],
)
def test_what_does_not_fit_together_is_named(params, columns, message):
    files = [{"file": "a.json"}, {"file": "tokenizer.json"}]
    dataset = {
        "kind": "conversations",
        "sources": {"files": files},
        "params": {"messages": "messages"} | params,
        "contract": {"columns": columns, "rows": {}},
    }
    with pytest.raises(RegistryError, match=re.escape(message)):
        check_kind(dataset, "chats.yaml")
    fitting = {"params": {"messages": "m", "tokenizer": "tokenizer.json"}}
    check_kind(dataset | fitting | {"contract": {"columns": CONTRACT | {"tokens": {}}, "rows": {}}}, "chats.yaml")


def test_conversations_are_described():
    its = Conversations()
    its.add(pl.Series([turns("ua"), turns("sua")], dtype=TYPE).to_arrow())
    its.add(pl.Series([turns("ua" * 30), None], dtype=TYPE).to_arrow())
    assert its.distributions() == {
        "role_distribution": {"assistant": 32, "system": 1, "user": 32},
        "turns_distribution": {"0": 1, "2": 1, "3": 1, "51 to 100": 1},
    }
    assert its.statistics()["turns_max"] == 60
    assert its.statistics()["char_length_mean"] == 65 * 5 / 4


def test_more_turns_than_anybody_counts_are_counted_together():
    its = Conversations()
    its.add(pl.Series([turns("ua" * 60)], dtype=TYPE).to_arrow())
    assert its.distributions()["turns_distribution"] == {"101 or more": 1}


def test_row_groups_are_bounded_by_what_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "GROUP_BYTES", 470)
    rows = [{"messages": turns(said)} for said in ("ua" * 20, "ua", "ua", "u" * 10, "")]
    places = {"all": tmp_path / "chats/processed/chats.parquet"}
    (tmp_path / "chats").mkdir()
    write_dataset(
        lambda: [found(tmp_path, rows)],
        tmp_path / "chats/processed",
        places,
        tmp_path / "keys.parquet",
        tmp_path / "cleaning.json",
        schema=arrow_schema(CONTRACT),
        policies=dict.fromkeys(POLICIES, "keep"),
    )
    groups = pq.read_metadata(places["all"])
    # A turn of the user has 9 bytes, one of the assistant 14: 460, 23, 23, 90 and 0.
    assert [groups.row_group(number).num_rows for number in range(groups.num_row_groups)] == [1, 4]


def test_turns_add_up_where_there_are_none():
    its = Turns(pl.Series([None, []], dtype=TYPE))
    assert its.total(its.content.str.len_chars()).to_list() == [0, 0]
    assert its.joined(its.role).to_list() == ["", ""]


def test_conversations_are_known_by_their_type():
    dtype = pl.Series(dtype=TYPE).to_arrow().type
    assert is_conversation(dtype)
    assert not is_conversation(dtype.value_type)
    assert not is_conversation(pl.Series(dtype=pl.List(pl.Struct({"role": pl.String}))).to_arrow().type)
