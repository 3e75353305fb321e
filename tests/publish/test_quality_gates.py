"""What `contract.quality` asks for, at a release: drift blocks it or is warned of, and the profile makes no version."""

import json

import pytest
import yaml

from registry.describe.metadata import metadata_digest
from tiny import Tiny, make_tiny

CONFIG = "config/datasets/letters.yaml"


@pytest.fixture
def clone(once, tmp_path) -> Tiny:
    """A registry of its own with `letters` 1.0.0: the numbers from 0 to 199, with a profile."""

    def make(folder):
        clone = make_tiny(folder)
        clone.build("letters", 200, profile=True)
        return clone.registry("publish", "letters")

    return Tiny(once("profiled", make)).copied(tmp_path / "registry")


def ask(clone, **quality):
    config = yaml.safe_load((clone.folder / CONFIG).read_text())
    config["contract"]["quality"] = quality
    clone.write(CONFIG, yaml.safe_dump(config, sort_keys=False))


def outcome(clone, *options, code=0):
    return clone.registry_json("publish", "letters", *options, code=code)["outcomes"][0]


def page(clone):
    """Where what differs is shown of a version that was refused."""
    return clone.folder / "logs" / "letters" / "refused.html"


def state(clone):
    return next(one["state"] for one in clone.registry_json("status") if one["dataset"] == "letters")


def test_drift_that_fails_blocks_the_release_until_the_contract_allows_it(clone):
    ask(clone, drift={"psi": {"warn": 0.1, "fail": 0.25}})
    clone.build("letters", 200, seed=100, profile=True)
    tags, head = clone.tags(), clone.head()
    for options in (("--dry-run",), ()):
        found = outcome(clone, *options, code=1)
        assert found["state"] == "refused"
        [reason] = found["reasons"]
        assert reason.startswith("it drifted from letters-v1.0.0: psi ")
        assert reason.endswith(" of value (value) in all is above 0.25")
        assert "contract.quality.drift allows in config/datasets/letters.yaml" in found["hint"]
        # A dry run writes nothing.
        assert page(clone).exists() == (not options)
    assert '"alone":["1.0.0","what is built"]' in page(clone).read_text(encoding="utf-8")
    assert (clone.tags(), clone.head()) == (tags, head)
    ask(clone, drift={"psi": {"warn": 0.1, "fail": 99}})
    clone.build("letters", 200, seed=100, profile=True)
    printed = clone.registry("publish", "letters")
    warning = f"drift from letters-v1.0.0: {reason.partition(': ')[2].replace('0.25', '0.1')}"
    assert not page(clone).exists()
    assert "letters: released as letters-v2.0.0 (MAJOR)\n  100 rows removed" in printed
    assert f"  warning: {warning}\n" in printed
    assert f"\n- warning: {warning}" in clone.git("log", "-1", "--format=%B")
    written = clone.git("show", "HEAD:data/letters/README.md")
    assert "; warning: drift from letters" in written
    figure = reason.partition(": psi ")[2].partition(" ")[0]
    assert "What has moved most since 1.0.0:\n\n| column | measure | split | PSI | Jensen-Shannon |" in written
    assert f"\n| `value` | value | `all` | {figure} |" in written
    # What a version is made for does not change by it.
    assert [line for line in clone.registry_json("log", "letters")[0]["changes"] if "warning" in line] == []


def test_what_a_build_was_warned_of_is_said_at_the_first_release_too(clone):
    config = yaml.safe_load((clone.folder / "config/datasets/numbers.yaml").read_text())
    config["contract"]["quality"] = {"unique": "warn", "drift": {"psi": {"fail": 0.1}}}
    clone.write("config/datasets/numbers.yaml", yaml.safe_dump(config, sort_keys=False))
    clone.build("numbers", 10, profile=True)
    found = clone.registry_json("publish", "numbers")["outcomes"][0]
    assert (found["reasons"], found["warnings"]) == (
        ["first release"],
        ["all: value: not unique: found another value in each row"],
    )
    assert "warning" not in clone.git("tag", "--list", "--format=%(contents)", "numbers-v1.0.0")


def test_a_difference_shows_how_far_columns_drifted(clone):
    clone.build("letters", 200, seed=100, profile=True)
    clone.registry("publish", "letters")
    found = {one["measure"]: one for one in clone.registry_json("diff", "letters", "1.0.0", "2.0.0")["drift"]}
    assert found.keys() == {"missing", "value"}
    assert found["value"]["psi"] > found["value"]["chance"] and found["missing"]["psi"] == 0
    printed = clone.registry("diff", "letters", "1.0.0", "2.0.0")
    assert "value (value)" in printed and "(missing)" not in printed
    assert "profile" not in printed and "quality" not in printed


def test_a_profile_alone_is_recorded_once_and_makes_no_version(once, tmp_path):
    clone = make_tiny(tmp_path / "registry")
    clone.build("letters", 50)
    clone.registry("publish", "letters")
    clone.build("letters", 50, profile=True)
    assert state(clone) == "released"
    found = outcome(clone)
    assert (found["state"], found["version"]) == ("recorded", "1.0.0")
    assert "profile" in json.loads(clone.git("show", "HEAD:data/letters/metadata.json"))
    assert outcome(clone)["state"] == "unchanged"
    assert state(clone) == "released"
    ask(clone, drift={"psi": {"fail": 0.1}})
    clone.build("letters", 60, profile=True)
    assert outcome(clone)["warnings"] == ["drift cannot be told: letters-v1.0.0 is from before profiles"]


def test_an_odd_profile_in_a_tag_is_refused(clone):
    ask(clone, drift={"psi": {"fail": 0.1}})
    place = clone.folder / "data/letters"
    metadata = json.loads((place / "metadata.json").read_text())
    metadata["profile"]["value"]["value"]["all"]["histogram"]["counts"] = ["many"]
    provenance = json.loads((place / "provenance.json").read_text())
    provenance["metadata"]["sha256"] = metadata_digest(metadata)
    for name, value in (("metadata", metadata), ("provenance", provenance)):
        (place / f"{name}.json").write_text(json.dumps(value))
    clone.git("commit", "--quiet", "--all", "--message", "Forge")
    clone.git("tag", "--annotate", "--force", "letters-v1.0.0", "--message", "forged")
    clone.build("letters", 210, profile=True)
    found = outcome(clone, code=1)
    assert found["state"] == "refused" and "its profile is not what a release writes" in found["reasons"][0]
    printed = clone.registry("diff", "letters", "1.0.0", code=1)
    assert "its profile is not what a release writes" in printed and "Traceback" not in printed
