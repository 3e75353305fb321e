"""A registry that was released by the code of c2fc23f, and its upgrade to the code of this checkout."""

import shutil
import subprocess
import tarfile
from pathlib import Path

from clone import Clone
from support import ROOT

HERE = Path(__file__).parent
VERSIONS = {
    "emotion": ["1.0.0"],
    "fashion-mnist": ["1.0.0"],
    "opencloudhub-readmes": ["1.0.0"],
    "opencloudhub-readmes-embeddings": ["1.0.0"],
    "opencloudhub-readmes-rag-evaluation": ["1.0.0"],
    "radiology-mini": ["1.0.0"],
    "tabular": ["1.0.0", "1.1.0", "2.0.0", "3.0.0"],
    "wine-quality": ["1.0.0"],
}
"""The versions of each dataset, oldest first."""
PINNED = {"emotion": "1.0.0", "tabular": "3.0.0"}
TAGS = [f"{name}-v{version}" for name, versions in VERSIONS.items() for version in versions]
REPLACED = ("scripts", "workflow", "envs", ".dvcignore", ".gitattributes", ".gitignore", "Makefile", "pyproject.toml")
"""What an upgrade replaces. Configuration, samples and data are the team's own."""
EMBEDDINGS = "config/datasets/opencloudhub-readmes-embeddings.yaml"
RENAMED = [
    (
        EMBEDDINGS,
        "  retrieval:\n    coverage_at_5: 0.05\n    mrr: 0.05\n",
        "  floors: {retrieval.all.coverage_at_5: 0.05, retrieval.all.mrr: 0.05}\n",
        "contract.retrieval is called floors now",
    ),
    (
        EMBEDDINGS,
        "params:\n",
        "kind: embeddings\nparams:\n"
        "  of: opencloudhub-readmes/processed/documents.parquet\n"
        "  questions: opencloudhub-readmes-rag-evaluation/questions.csv\n"
        "  columns: {source_repo: repository, source_file: path}\n",
        "embeddings are a kind now",
    ),
]
"""Configuration that is spelt otherwise now: (file, as it was, as it is now, what the message says of it)."""


def unpack(folder: Path) -> Clone:
    """Clone the registry as it was, with its store."""
    subprocess.run(["git", "clone", "--quiet", HERE / "registry.bundle", folder], check=True)
    clone = Clone(folder)
    clone.git("remote", "remove", "origin")
    clone.sign()
    with tarfile.open(HERE / "storage.tar.xz") as tar:
        tar.extractall(folder / ".dvc" / "storage", filter="data")
    return clone


def upgrade(clone: Clone) -> None:
    """Replace the code by that of this checkout, as merging a newer release of the project would; not committed."""
    for name in REPLACED:
        path = clone.folder / name
        if path.is_dir():
            shutil.rmtree(path)
            shutil.copytree(ROOT / name, path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(ROOT / name, path)


def respell(clone: Clone) -> None:
    """Write configuration as it is spelt now, as the messages ask for."""
    for file, old, new, _ in RENAMED:
        clone.edit(file, old, new)
