"""`contract.quality.leakage.older`: what models learn from is held against what older releases measured them by."""

import shutil

import pyarrow as pa
import pytest

from pictures import picture
from showcase import Showcase, make_empty


def text(number, *, changed=False):
    words = [f"word{12 * number + place}" for place in range(12)]
    return " ".join(["another"] * changed + words[changed:])


def texts(*numbers, changed=False):
    """A table of texts of these numbers, of which a word is changed of those below 0."""
    found = [text(abs(number), changed=number < 0) for number in numbers]
    return pa.table({"id": [f"text {number}" for number in numbers], "text": found})


@pytest.fixture
def registry(once, tmp_path) -> Showcase:
    """A registry of its own in which nothing was built so far."""
    empty = Showcase(once("empty", lambda folder: make_empty(folder).head()))
    return Showcase(empty.copied(tmp_path / "registry").folder)


def release(registry, leakage=None, quality=None, inputs=("text",), code=0, name="some", aliases=(), **splits):
    """Build a dataset of these tables by split, publish it, and return what became of it."""
    registry.build(name, splits, inputs=[*inputs], quality=quality or {"leakage": leakage}, aliases=aliases)
    registry.commit("Build it")
    return registry.registry_json("publish", name, code=code)["outcomes"][0]


def refused(registry, **build):
    """Why what is built is not released."""
    found = release(registry, code=1, **build)
    assert found["state"] == "refused"
    return found["reasons"][0]


def test_a_near_duplicate_of_what_older_versions_tested_is_found_wherever_that_is_now(registry):
    assert release(registry, train=texts(1, 2), test=texts(10, 11, 12))["version"] == "1.0.0"
    assert release(registry, train=texts(1, 2), test=texts(11, 12))["version"] == "2.0.0"
    # Of three tests, one is gone, one is still there, and one is learnt from itself.
    learnt = texts(1, 2, 3, -10, -11, 12)
    asked = {"older": {"warn": 0, "fail": 2}}
    limit = "that models learn from may be like one in a test split of an older version; found"
    same = "'text 12' of train was 'text 12' of test"
    near = "'text -11' of train is, at a distance of 0.176, like 'text 11' of test"
    gone = "'text -10' of train is, at a distance of 0.176, like 'text 10' of test"
    found = release(registry, code=1, leakage=asked, train=learnt, test=texts(11))
    assert (found["state"], found["previous"], found["against"]) == ("refused", "1.0.0", "some-v1.0.0")
    assert found["reasons"] == [f"at most 2 rows {limit} 3 in some-v1.0.0: {same}, {gone}, {near}"]
    assert found["alike"][1] == {
        "split": "train",
        "row": 3,
        "key": "text -10",
        "like": {"split": "test", "row": 0, "key": "text 10"},
        "distance": 0.176,
    }
    assert [(one["key"], one["distance"]) for one in found["alike"]] == [
        ("text 12", None),
        ("text -10", 0.176),
        ("text -11", 0.176),
    ]
    page = (registry.folder / "logs/some/refused.html").read_text(encoding="utf-8")
    assert all(text(abs(number), changed=number < 0) in page for number in (12, -10, 10, -11, 11))
    assert f'"verdict":"at most 2 rows {limit} 3 in some-v1.0.0: ' in page
    found = release(registry, leakage={"older": "warn"}, train=learnt, test=texts(11))
    assert found["warnings"] == [
        f"no row {limit} 2 in some-v2.0.0: {same}, {near}",
        f"no row {limit} 3 in some-v1.0.0: {same}, {gone}, {near}",
    ]
    assert [one["version"] for one in registry.registry_json("log", "some")] == ["3.0.0", "2.0.0", "1.0.0"]


def test_limits_hold_for_each_version_alone(registry):
    release(registry, train=texts(1, 2), test=texts(10))
    release(registry, train=texts(1, 2), test=texts(11))
    learnt = texts(1, 2, -10, -11)
    assert refused(registry, leakage={"older": {"fail": 0.24}}, train=learnt, test=texts(12)).endswith(
        "found 1 in some-v2.0.0: 'text -11' of train is, at a distance of 0.179, like 'text 11' of test"
    )
    assert release(registry, leakage={"older": {"fail": 0.25}}, train=learnt, test=texts(12))["version"] == "3.0.0"


def test_tests_of_a_dataset_count_under_its_former_name(registry):
    release(registry, train=texts(1), test=texts(10, 11), validation=texts(15))
    registry.git("rm", "-rq", "data/some", "config/datasets/some.yaml")
    shutil.rmtree(registry.folder / "data/some", ignore_errors=True)
    renamed = {"name": "other", "aliases": ["some"], "train": texts(1, -10, 11), "test": texts(12)}
    found = "found 2 in some-v1.0.0: 'text 11' of train was 'text 11' of test, 'text -10' of train is, "
    assert found in refused(registry, leakage={"older": "fail"}, **renamed)
    page = (registry.folder / "logs/other/refused.html").read_text(encoding="utf-8")
    assert '"alone":["some-v1.0.0","what is built"]' in page
    assert text(10) in page
    # So does what it was under that name, from which it may not drift.
    quality = {"drift": {"lost_values": "warn"}, "leakage": {"older": "warn"}}
    done = release(registry, quality=quality, **renamed | {"test": pa.table({"id": ["a"], "text": ["b"]})})
    assert done["tag"] == "other-v2.0.0"
    assert done["warnings"][0] == "drift from some-v1.0.0: split validation is gone"
    assert found in done["warnings"][1]
    # What had another name cannot be put beside what it has become.
    for command in (["rollback", "some", "1.0.0"], ["republish", "some", "1.0.0", "--reason", "Try it"]):
        printed = registry.registry(*command, code=1)
        assert "some-v1.0.0 is from before some was renamed: it is other now" in printed
        assert "to read it: registry get some 1.0.0" in printed
    assert not (registry.folder / "data/some").exists()


def test_a_refusal_says_what_every_gate_refuses(registry):
    release(registry, train=texts(1), test=texts(10))
    longer = pa.table({"id": ["text 1", "text 10"], "text": [text(1) * 9, text(10)]})
    quality = {"drift": {"psi": {"fail": 0.1}, "new_values": "fail"}, "leakage": {"older": "fail"}}
    found = release(registry, quality=quality, code=1, train=longer, other=texts(11))
    assert found["reasons"] == [
        "it may have drifted from some-v1.0.0: split test is gone; no row that models learn from may be like one in a "
        "test split of an older version; found 1 in some-v1.0.0: 'text 10' of train was 'text 10' of test"
    ]
    assert (found["against"], len(found["alike"])) == ("some-v1.0.0", 1)
    assert found["hint"].count("; ") >= 3


def test_a_new_value_is_named_with_the_first_row_that_has_it(registry):
    def labelled(*labels):
        return pa.table({"id": [f"{row}" for row in range(len(labels))], "label": labels})

    release(registry, inputs=["id"], train=labelled("a", "b", "a", "b"))
    quality = {"drift": {"new_values": "fail"}}
    assert refused(registry, quality=quality, inputs=["id"], train=labelled("a", "b", "c", "a", "c", "b")) == (
        "it drifted from some-v1.0.0: new values of label (classes) in train: 'c' (row 2 of train, '2')"
    )


def test_near_duplicates_do_not_count_where_the_contract_says_so(registry):
    release(registry, train=texts(1), test=texts(10))
    asked = {"older": "fail", "near": False}
    registry.lose("some-v1.0.0", "processed")
    assert release(registry, leakage=asked, train=texts(1, -10), test=texts(11))["version"] == "2.0.0"
    assert refused(registry, leakage=asked, train=texts(1, -10, 10), test=texts(11)).endswith(
        "found 1 in some-v1.0.0: 'text 10' of train was 'text 10' of test"
    )


def test_only_the_tests_that_are_gone_are_fetched(registry):
    release(registry, train=texts(1), test=texts(10, 11))
    release(registry, train=texts(1, 2), test=texts(10, 11, 12))
    release(registry, train=texts(1, 2), test=texts(10, 12))
    # Whatever the first version tested, the second one has.
    registry.lose("some-v1.0.0", "processed")
    shutil.rmtree(registry.folder / ".dvc" / "cache")
    asked = {"older": "fail"}
    assert release(registry, leakage=asked, train=texts(1, 2, 3), test=texts(10))["version"] == "3.0.0"
    assert refused(registry, leakage=asked, train=texts(1, 2, 3, -11), test=texts(10)).endswith(
        "found 1 in some-v1.1.0: 'text -11' of train is, at a distance of 0.201, like 'text 11' of test"
    )


def test_data_that_is_gone_refuses_the_release_and_says_what_to_do(registry):
    release(registry, train=texts(1), test=texts(10))
    registry.lose("some-v1.0.0", "processed")
    found = release(registry, leakage={"older": "fail"}, code=1, train=texts(1, 2), test=texts(11))
    assert found["state"] == "refused"
    assert found["reasons"][0].startswith("it cannot be held against some-v1.0.0: remote local (")
    assert found["hint"] == (
        "bring that back, or take contract.quality.leakage.older out, or near-duplicates: near: false"
    )
    # Tests that are here still need no other data.
    assert release(registry, leakage={"older": "fail"}, train=texts(1, 2), test=texts(10, 11))["version"] == "1.1.0"


def test_a_version_whose_inputs_are_of_another_type_or_elsewhere_has_no_near_duplicates(registry):
    release(registry, train=texts(1), test=texts(10))
    numbers = pa.table({"id": ["0", "1"], "text": [1.0, 2.0]})
    assert release(registry, leakage={"older": "fail"}, train=numbers, test=numbers.slice(1))["version"] == "2.0.0"
    named = texts(1, -10).append_column("title", texts(1, -10)["text"])
    found = release(registry, inputs=["title"], leakage={"older": "fail"}, train=named, test=named.slice(0, 1))
    assert found["version"] == "3.0.0"
    lacking = "near-duplicates were not looked for in tests of older versions: the tables of some-v{} do not have"
    assert [line.removesuffix(" what is compared") for line in found["warnings"]] == [
        lacking.format(number) for number in ("2.0.0", "1.0.0")
    ]


def test_pictures_and_rows_of_numbers_are_found_too(registry):
    def pictures(*seeds, kind="PNG"):
        return pa.table({"id": [f"{kind} {seed}" for seed in seeds], "image": [picture(seed, kind) for seed in seeds]})

    release(registry, inputs=["image"], train=pictures(1, 2), test=pictures(10, 11))
    learnt = pa.concat_tables([pictures(1, 2), pictures(11, kind="JPEG")])
    reason = refused(registry, inputs=["image"], leakage={"older": "fail"}, train=learnt, test=pictures(10))
    assert "found 1 in some-v1.0.0: 'JPEG 11' of train is, at a distance of 0.0" in reason
    assert reason.endswith("like 'PNG 11' of test")

    def rows(*numbers, noise=1.0):
        measured = {"x": [number / 7 * noise for number in numbers], "y": [number / 3 for number in numbers]}
        return pa.table({"id": [f"{number} {noise}" for number in numbers], **measured})

    asked = {"older": "fail", "digits": 3}
    release(registry, inputs=["x", "y"], train=rows(1, 2), test=rows(10, 11))
    learnt = pa.concat_tables([rows(1, 2), rows(11, noise=1.00001)])
    assert refused(registry, inputs=["x", "y"], leakage=asked, train=learnt, test=rows(10)).endswith(
        "found 1 in some-v2.0.0: '11 1.00001' of train is, at a distance of 0, like '11 1.0' of test"
    )


def test_a_tag_that_holds_no_data_is_to_be_removed(registry):
    first = registry.head()
    release(registry, train=texts(1), test=texts(10))
    message = registry.git("tag", "--list", "--format=%(contents)", "some-v1.0.0").replace("1.0.0", "0.5.0")
    registry.git("tag", "--annotate", "--message", message, "some-v0.5.0", first)
    found = release(registry, leakage={"older": "fail"}, code=1, train=texts(1, 2), test=texts(11))
    assert (found["state"], found["against"]) == ("refused", None)
    assert found["reasons"][0].startswith("it cannot be held against some-v0.5.0: ")
    assert found["hint"] == (
        "if nobody relies on it: git tag --delete some-v0.5.0; or take contract.quality.leakage.older out"
    )
