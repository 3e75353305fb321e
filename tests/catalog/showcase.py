"""A registry with whatever a catalog may meet: built in moments without Snakemake, released by `registry publish`."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from clone import Clone, under_git
from commands import republish
from hostile_values import CLASSES, COLUMNS, HUGE, TEXTS, TITLE, picture
from project import copy_repository
from registry.config.fingerprint import fingerprint
from registry.describe.leakage import Leakage
from registry.describe.manifest import write_manifest
from registry.describe.metadata import metadata_of
from registry.describe.profile import Profile
from registry.describe.provenance import write_provenance
from registry.describe.repeated import heads_of
from registry.files import seal, write_json
from specified import column_of

SCRIPT = "showcase/build.py"
ABOUT = {"title": "Things", "description": "Some things.", "license": "Apache-2.0"}
CITIES = ["Berlin", "Köln", "São Paulo"]
PEOPLE = {
    "1.0.0": "released first",
    "1.1.0": "rows added",
    "2.0.0": "rows changed and removed",
    "3.0.0": "rows moved to another split",
    "3.1.0": "a column added",
    "4.0.0": "the content of 1.1.0 again",
}
"""The versions of the dataset people, and what is new in each."""
LOST = ("0.9.0", "1.0.0", "2.0.0", "3.0.0")
"""Those of the dataset lost. The first is a tag alone; of the second nobody has a file, of the third the rows."""
WIDE, MANY = 2_000, 10_000
"""Columns of the dataset wide, and classes of the dataset classes."""
VERSIONS = {
    "chats": ["1.0.0"],
    "classes": ["1.0.0"],
    "empty": ["1.0.0"],
    "hostile": ["1.0.0", "1.1.0"],
    "lost": [*LOST],
    "people": [*PEOPLE],
    "pictures": ["1.0.0", "2.0.0"],
    "vectors": ["1.0.0"],
    "wide": ["1.0.0"],
}


class Showcase(Clone):
    """A registry whose datasets are built from tables that are given."""

    def build(
        self,
        name: str,
        splits: Mapping[str, pa.Table],
        *,
        inputs: Sequence[str] | None = None,
        features: dict[str, dict[str, Any]] | None = None,
        about: Mapping[str, Any] | None = None,
        aliases: Sequence[str] = (),
        quality: Mapping[str, Any] | None = None,
    ) -> None:
        """Build a dataset as a run would. The first column holds the keys of its rows; the contract takes all.

        `quality` is what the contract says of it.
        """
        schema = next(iter(splits.values())).schema
        columns = {field.name: column_of(field.type, nullable=True) for field in schema}
        quality = {gate: limits for gate, limits in (quality or {}).items() if limits}
        leakage = quality.get("leakage")
        asked = {"quality": quality} if quality else {}
        config = {"about": ABOUT, "contract": {"columns": columns, "rows": {}, **asked}}
        text = yaml.dump(
            config | ({"aliases": [*aliases]} if aliases else {}), sort_keys=False, Dumper=yaml.CSafeDumper
        )
        self.write(f"config/datasets/{name}.yaml", text)
        dataset = {"name": name, "source": "generated", "params": {}, **config}
        folder = self.folder / "data" / name
        shutil.rmtree(folder / "processed", ignore_errors=True)
        (folder / "raw").mkdir(parents=True, exist_ok=True)
        write_json(folder / "raw" / "sources.json", {"mode": "generated", "files": []})
        profile, leaks = Profile(schema), Leakage(leakage or {}, {})
        # A build makes no dataset without rows, but somebody may have released one.
        any_number = {**config["contract"], "rows": {"generated": dict.fromkeys(splits, {"min": 0})}}
        checked = dataset | {"contract": any_number}
        with write_manifest(folder / "manifest.parquet", checked, schema) as manifest:
            for split, table in splits.items():
                file = folder / "processed" / split / f"{split}.parquet"
                file.parent.mkdir(parents=True)
                pq.write_table(table, file)
                rows = table.combine_chunks().to_batches() or [pa.RecordBatch.from_pylist([], schema)]
                keys, about_it = rows[0].column(0).cast(pa.string()), inputs or [schema.names[0]]
                ids = manifest.add(split, rows[0], inputs=about_it, keys=keys)
                profile.add(split, rows[0], heads_of(ids))
                leaks.add(split, rows[0].select(about_it), keys)
        seal(folder / "processed")
        facts = {"summary": {"num_samples": sum(manifest.num_samples.values())}, "profile": profile.figures()}
        facts |= {"leakage": leaks.figures()} if leakage else {}
        # Said by the data alone: a configuration that has scripts in it is refused.
        metadata = metadata_of(dataset | {"about": ABOUT | dict(about or {})}, manifest, features=features, **facts)
        write_json(folder / "metadata.json", metadata)
        write_provenance(
            folder / "provenance.json",
            dataset,
            manifest,
            metadata,
            data=folder / "processed",
            sources=folder / "raw" / "sources.json",
            code={SCRIPT: fingerprint(SCRIPT, self.folder / "scripts")},
            scripts=self.folder / "scripts",
        )

    def release(self) -> None:
        """Commit, and release all that is built."""
        self.commit("Build more")
        self.registry("publish")

    def objects(self, tag: str, output: str) -> Iterator[Path]:
        """Yield where the cache and the store have an output of a release."""
        dataset = tag.rpartition("-v")[0]
        pointer = yaml.safe_load(self.git("show", f"{tag}:data/{dataset}/{output}.dvc"))
        md5 = pointer["outs"][0]["md5"]
        for place in ("cache", "storage"):
            yield self.folder / ".dvc" / place / "files" / "md5" / md5[:2] / md5[2:]

    def lose(self, tag: str, *outputs: str) -> None:
        """Remove outputs of a release from the cache and the store."""
        for output in outputs:
            for path in self.objects(tag, output):
                path.chmod(0o644)
                path.unlink()


def people(first: int, last: int, **changed: Mapping[int, Any]) -> pa.Table:
    """Return a table of the people with these numbers, with other values where `changed` has them by these numbers."""
    numbers = range(first, last)
    columns = {
        "id": [f"person-{number}" for number in numbers],
        "name": [f"Ada {number} Lovelace" for number in numbers],
        "age": [20 + number % 50 for number in numbers],
        "city": [CITIES[number % 3] for number in numbers],
        "born": [number * 86_400_000 * 300 for number in numbers],
    }
    for name, values in changed.items():
        for number, value in values.items():
            columns[name][number - first] = value
    return pa.table({**columns, "born": pa.array(columns["born"], pa.timestamp("ms"))})


def content(folder: Path) -> dict[str, bytes]:
    """Return {path: content} of all files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def make_empty(folder: Path) -> Showcase:
    """Make a registry that has nothing so far."""
    copy_repository(folder, "config/datasets/", "data/", "envs/", "docs/", "benchmarks/")
    registry = Showcase(folder)
    local = "[core]\n    analytics = false\n    remote = local\n['remote \"local\"']\n    url = storage\n"
    registry.write(".dvc/config", local)
    registry.write(f"scripts/{SCRIPT}", '"""Stands for the code that builds the datasets."""\n')
    under_git(registry)
    return registry


def make_showcase(folder: Path) -> str:
    """Make the registry; return what there is to know of how."""
    registry = make_empty(folder)
    features = {"city": {"classes": CITIES}, "age": {"unit": "years", "description": "At the last <b>birthday</b>."}}

    def build_people(**splits: pa.Table) -> None:
        about = {"title": "People", "homepage": "https://example.org/people?a=1&b=2", "citation": "Ada: People, 1843"}
        registry.build("people", splits, features=features, about=about, aliases=["persons"])

    def build_lost(rows: int) -> None:
        registry.build("lost", {"all": people(0, rows)})

    build_people(train=people(0, 60), test=people(100, 120))
    build_lost(5)
    _build_others(registry)
    registry.release()
    build_people(train=people(0, 70), test=people(100, 120))
    build_lost(4)
    hostile(registry, more=True)
    pictures(registry, more=True)
    registry.release()
    build_people(train=people(5, 70, name={7: "Ada 7 Byron", 9: TEXTS["script"]}, age={7: 99}), test=people(100, 120))
    build_lost(3)
    registry.release()
    build_people(train=people(10, 70), test=pa.concat_tables([people(100, 120), people(5, 10)]))
    registry.release()
    grown = [people(10, 70), pa.concat_tables([people(100, 120), people(5, 10)])]
    taller = [one.append_column("height", pa.array([1.5 + n / 100 for n in range(len(one))])) for one in grown]
    build_people(train=taller[0], test=taller[1])
    registry.release()
    registry.registry(*republish("people", "1.1.0", "<i>the column</i> was wrong"))
    registry.lose("lost-v1.0.0", "processed", "manifest.parquet")
    registry.lose("lost-v2.0.0", "processed")
    registry.git("tag", "--annotate", "--message", f"lost\n\n{TEXTS['script']}", "lost-v0.9.0", "HEAD^{/Start}")
    registry.git("tag", "people-v9.9.9", "people-v1.0.0^{commit}")
    return ""


def _build_others(registry: Showcase) -> None:
    hostile(registry, more=False)
    pictures(registry, more=False)
    empty = pa.schema([("id", pa.string()), ("value", pa.float64()), ("label", pa.string())]).empty_table()
    registry.build("empty", {"all": empty}, features={"label": {"classes": ["a", "b"]}})
    turns = [
        [{"role": "user", "content": f"How much is {n} + {n}?"}, {"role": "assistant", "content": f"**{2 * n}**"}]
        for n in range(30)
    ]
    turns[3][0]["content"] = TEXTS["image"]
    chats = pa.table({"id": [f"chat-{n}" for n in range(30)], "messages": pa.array(turns)})
    registry.build("chats", {"all": chats})
    points = pa.array([[n / 7 + d for d in range(16)] for n in range(40)], pa.list_(pa.float32(), 16))
    registry.build("vectors", {"all": pa.table({"id": [f"point-{n}" for n in range(40)], "vector": points})})
    numbers = {f"measure {n:04}": pa.array([n, n + 1, n + 2]) for n in range(WIDE - 1)}
    registry.build("wide", {"all": pa.table({"id": ["one", "two", "three"], **numbers})})
    labels = [f"class {n:05}" for n in range(MANY)]
    many = pa.table({"id": [f"row-{n}" for n in range(MANY)], "label": labels})
    registry.build("classes", {"all": many}, features={"label": {"classes": labels}})


def hostile(registry: Showcase, *, more: bool) -> None:
    """Build a dataset of texts that mean harm, or are odd."""
    texts = [*TEXTS.values(), HUGE] + (["one more text"] if more else [])
    labels = [CLASSES[place % len(CLASSES)] for place in range(len(texts))]
    table = pa.table(
        {
            "key": texts[:0] or [f"{place} {text[:20]}" for place, text in enumerate(texts)],
            "text": texts,
            "label": labels,
        }
    )
    for name in COLUMNS:
        table = table.append_column(name, pa.array([f"{name} {place}" for place in range(len(texts))]))
    about = {"title": TITLE, "description": TEXTS["script"], "license": TEXTS["quotes"], "citation": TEXTS["turned"]}
    registry.build("hostile", {"all": table}, features={"label": {"classes": CLASSES}}, about=about)


def pictures(registry: Showcase, *, more: bool) -> None:
    """Build a dataset of pictures, of which one does not decode, with captions."""
    images = [picture(number) for number in range(24 if more else 20)]
    images[4] = b"\x89PNG\r\n\x1a\n no picture"
    if more:
        images[1] = picture(99)
    captions = [f"A square, number {number}, {TEXTS['image']}" for number in range(len(images))]
    table = pa.table({"id": [f"picture-{n}" for n in range(len(images))], "image": images, "caption": captions})
    registry.build("pictures", {"all": table}, inputs=["image"])
