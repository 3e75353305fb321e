"""The ways to load a version that its card names, run as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from registry.cards.loading import PLACEHOLDER
from support import ROOT

DATASET, VERSION, ROWS = "wine-quality", "1.0.0", 586


@pytest.fixture
def ways(registry, elsewhere) -> dict[str, str]:
    """Return {words of its first lines: each way to load the dataset}, with the address of the registry."""
    tag = f"{DATASET}-v{VERSION}"
    command = ["git", "-C", str(registry.repository), "show", f"{tag}:data/{DATASET}/README.md"]
    card = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.findall(r"^```(?:bash|python)\n(.*?)^```$", card.partition("## Load this version")[2], re.M | re.S)
    assert len(found) == 4
    assert all(PLACEHOLDER in code and tag in code or VERSION in code for code in found)
    codes = [code.replace(PLACEHOLDER, str(registry.repository)) for code in found]
    words = ("dvc get", "open_dataset", "dvc.api", "load_dataset")
    return {word: next(code for code in codes if word in code) for word in words}


def test_dvc_get(registry, ways, elsewhere):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["bash", "-euc", ways["dvc get"]], env={**os.environ, "PATH": path}, check=True)
    name = f"{DATASET}.csv"
    expected = registry.built(DATASET, VERSION) / "processed" / name
    assert (elsewhere / "processed" / name).read_bytes() == expected.read_bytes()


def test_dvc_api_and_pandas(ways):
    names = {}
    exec(compile(ways["dvc.api"], "README.md", "exec"), names)
    assert len(names["frame"]) == ROWS


def test_the_client_with_pandas_and_ray(ways, ray, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    names = {}
    lines = ways["open_dataset"].replace(" dataset.to_hf(),", "").splitlines()
    exec(compile("\n".join([*lines[:-1], f"loaded = {lines[-1]}"]), "README.md", "exec"), names)
    frame, rows = names["loaded"]
    assert (len(frame), rows.count()) == (ROWS, ROWS)
    assert names["dataset"].metadata["dataset"]["name"] == DATASET


def test_hugging_face(ways, trainer):
    def loaded(client, code):
        names = {}
        lines = client.replace("dataset.to_pandas(), ", "").replace(", dataset.ray_dataset()", "").splitlines()
        exec("\n".join([*lines[:-1], f"own = {lines[-1]}"]), names)
        exec(code, names)
        return [sum(map(len, names[name].values())) for name in ("own", "rows")]

    assert trainer(loaded, ways["open_dataset"], ways["load_dataset"]) == [ROWS, ROWS]
