"""Mutations of this repository's own configuration: each is taken, or is one message, in bounded time."""

import random
import shutil

import pytest

from registry.config.load import load_datasets, normalise, read_yaml
from registry.errors import RegistryError
from registry.sources.locks import read_lock
from registry.sources.prompts import prompt_reference
from support import FUZZ, ROOT, examples

FILES = sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "config").rglob("*.yaml") if "locks" not in path.parts
)
NO_DATASETS = {"name": "caption", "version": 1, "registry": "file"}
"""The prompt of datasets to come."""
SEEDS = examples(15)
START = random.SystemRandom().randrange(2**32) if FUZZ else 0
BOMB = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9))
PIECES = [
    "No", "on", "null", "~", "1", "-1", "0.5", "010", "12:30", "2026-01-31", ".inf", ".nan", "1e999", "9" * 30, "''",
    "[]", "{}", "[1, a, null]", "{min: 5, max: 1}", "{a: 1, a: 2}", "&x [1]", "*x", "!!python/name:os.system x",
    "? [a]", "<<: {a: 1}", "^a$", "'*'", "\t", ": ", "- ", "#", "\0", "\x1b[31m", "\N{RIGHT-TO-LEFT OVERRIDE}",
    "\ud800", "---\n", "\n", "  ", "|", "[" * 50_000, "{a: " * 50_000, BOMB, "x" * 100_000,
]  # fmt: skip


def mutated(text: str, chance: random.Random) -> str:
    """Return a text with one to three of: a token replaced, a line taken out, repeated, moved or written over."""
    for _ in range(chance.randint(1, 3)):
        lines = text.splitlines(keepends=True) or ["\n"]
        at = chance.randrange(len(lines))
        match chance.randrange(5):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[at])
            case 2:
                lines.insert(chance.randrange(len(lines)), lines.pop(at))
            case 3:
                lines[at] = f"{chance.choice(PIECES)}\n"
            case _:
                words = lines[at].split(" ")
                words[chance.randrange(len(words))] = chance.choice(PIECES)
                lines[at] = " ".join(words)
        text = "".join(lines)
    return text


def read_all(root):
    """Read everything as a run would, and return the errors of what is left out."""
    datasets = load_datasets(normalise(read_yaml(root / "config" / "config.yaml")), root)
    for dataset in datasets.values():
        read_lock(root / "config" / "locks" / f"{dataset['name']}.yaml")
        if "prompt" in dataset["params"]:
            prompt_reference(dataset["params"]["prompt"], {}, root)
    prompt_reference(NO_DATASETS, {}, root)
    return datasets.broken


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("registry")
    shutil.copytree(ROOT / "config", root / "config")
    for schema in (ROOT / "scripts").rglob("*.schema.yaml"):
        (root / schema.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(schema, root / schema.relative_to(ROOT))
    return root


@pytest.mark.fuzz
@pytest.mark.parametrize("file", FILES)
def test_a_mutated_file_is_taken_or_is_one_message(root, file):
    path, before = root / file, (root / file).read_text(encoding="utf-8")
    assert read_all(root) == {}
    refused = 0
    try:
        for seed in range(START, START + SEEDS):
            text = mutated(before, random.Random(f"{file} {seed}"))
            path.write_bytes(text.encode("utf-8", errors="surrogatepass"))
            try:
                errors = [*read_all(root).values()]
            except RegistryError as error:
                errors = [error]
            refused += bool(errors)
            for error in errors:
                assert str(error).startswith(("config/", str(root))), (seed, str(error))
                assert len(str(error)) < 40_000, seed
                assert "\x1b" not in str(error), seed
    finally:
        path.write_text(before, encoding="utf-8")
    assert refused > SEEDS / 4
