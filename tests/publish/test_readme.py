"""The walk-through of the README, typed as it stands there."""

import os
import re

from clone import BIN
from support import ROOT


def walk_through() -> str:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Versions, there and back\n", 1)[1]
    return re.search(r"```\n(.*?)```", section, re.DOTALL)[1]


def test_the_walk_through_there_and_back(released, tmp_path):
    # `registry` as a command, without installing this clone.
    command = tmp_path / "bin" / "registry"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {BIN / "python"} -m registry "$@"\n')
    command.chmod(0o755)
    path = os.pathsep.join([str(command.parent), str(BIN), os.environ["PATH"]])
    before = (released.folder / "data/tabular/processed/tabular.parquet").read_bytes()

    printed = released.run("bash", "-e", "-x", "-c", walk_through(), PATH=path)

    assert "tabular: released as tabular-v1.1.0 (MINOR)\n  400 rows added to all" in printed
    assert "tabular: released as tabular-v2.0.0 (MAJOR)" in printed
    assert printed.count("Nothing to be done") == 2
    there, back = printed.split("+ registry rollback tabular 1.0.0")
    assert "tabular generate: drawing" in there
    assert "tabular generate: drawing" not in back
    assert [tag for tag in released.tags() if tag.startswith("tabular")] == [
        "tabular-v1.0.0",
        "tabular-v1.1.0",
        "tabular-v2.0.0",
    ]
    assert (released.folder / "data/tabular/processed/tabular.parquet").read_bytes() != before
    released.registry("rollback", "tabular", "1.0.0")
    assert (released.folder / "data/tabular/processed/tabular.parquet").read_bytes() == before
