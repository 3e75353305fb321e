"""What a dataset's file accepts changes by its hashes alone: whatever a person wrote in it stays as it is."""

from datetime import date

import pytest
import yaml

from registry.sources.accepting import accept_sources

OLD, OTHER, NEW = "a" * 64, "b" * 64, "c" * 64
FILE = """\
about:   # not "two" spaces
    title: 'It''s "quoted"'
    description: "\\u00e4 wraps
      over lines"
    link: ~
sources:
    files:
    - file: a.csv
      accept: {accept}
      max_bytes: 1_000
# the end
"""
TODAY = f"of {date.today().isoformat()}, 1,234 bytes"
OWN = "of 2020-01-31, 9 bytes"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"\n        - sha256: {OLD}\n          note: mine", f"\n        - sha256: {NEW}\n          note: mine"),
        (
            f"\n      - note: {OWN}  # ?\n        sha256: '{OLD}'",
            f"\n      - note: {TODAY}  # ?\n        sha256: '{NEW}'",
        ),
        (f'[{{sha256: "{OLD}", note: "{OWN}"}}]', f'[{{sha256: "{NEW}", note: "{TODAY}"}}]'),
        (
            f"\n      -  sha256: {OTHER}\n         modes: [mirror]\n         note: mine  # of it",
            f"\n      -  sha256: {OTHER}\n         modes: [mirror]\n         note: mine  # of it"
            f"\n      - sha256: {NEW}\n        note: {TODAY}\n        modes: [upstream]",
        ),
        (
            f"[{{sha256: {OTHER}, note: x, modes: [mirror]}}]",
            f'[{{"sha256": "{NEW}", "note": "{TODAY}", "modes": ["upstream"]}}, '
            f"{{sha256: {OTHER}, note: x, modes: [mirror]}}]",
        ),
        ("[]  # none yet", f"  # none yet\n        - sha256: {NEW}\n          note: {TODAY}"),
        (f"[{{sha256: {NEW}, note: x}}]", f"[{{sha256: {NEW}, note: x}}]"),
    ],
)
def test_all_but_the_hash_stays(tmp_path, before, after, newline):
    path = tmp_path / "one.yaml"
    path.write_text(FILE.replace("{accept}", before), encoding="utf-8", newline=newline)
    accept_sources(path, "upstream", {"a.csv": {"sha256": NEW, "bytes": 1234}})
    expected = FILE.replace(" {accept}" if after.startswith("  #") else "{accept}", after)
    assert path.read_bytes().decode("utf-8") == expected.replace("\n", newline)
    [file] = yaml.safe_load(expected)["sources"]["files"]
    assert NEW in [entry["sha256"] for entry in file["accept"] if "upstream" in entry.get("modes", ["upstream"])]
