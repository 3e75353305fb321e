"""The front matter of a card: what Hugging Face's Hub, and `load_dataset`, read of a dataset.

Its keys are those of https://github.com/huggingface/hub-docs/blob/main/datasetcard.md.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from registry.describe.logical import arrow_type, is_list
from registry.storage.snapshot import Snapshot

_KNOWN = (
    "afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda "
    "cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 "
    "cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 "
    "cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0 eupl-1.1 eupl-1.2 gfdl gpl gpl-2.0 "
    "gpl-3.0 isc lgpl lgpl-2.1 lgpl-3.0 mit mpl-2.0 ms-pl ncsa odbl odc-by osl-3.0 pddl unlicense wtfpl zlib"
)
LICENCES = frozenset(_KNOWN.split())
"""Licences that the Hub knows by these names."""
LARGER = (
    ("n<1K", 10**3),
    ("1K<n<10K", 10**4),
    ("10K<n<100K", 10**5),
    ("100K<n<1M", 10**6),
    ("1M<n<10M", 10**7),
    ("10M<n<100M", 10**8),
    ("100M<n<1B", 10**9),
    ("1B<n<10B", 10**10),
)
"""How the Hub names sizes, each with the number of rows below which it holds."""
BUILDERS = {"parquet": "parquet", "csv": "csv", "jsonl": "json"}
"""Files that `load_dataset` reads, in the order in which they are preferred, and what it calls them."""
ONLY = "train"
"""What the Hub calls the only split of a dataset: `all` means to it all splits together."""
UNSAFE = re.compile(r"[^\w.-]+")


def front_matter(snapshot: Snapshot, tables: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the front matter of a version, whose `tables` are {split: paths from its folder}."""
    about = about_of(snapshot)
    found: dict[str, Any] = {"pretty_name": about["title"], **_licence(about)}
    if languages := about.get("languages"):
        found["language"] = languages
    if tasks := about.get("tasks"):
        found["task_categories"] = tasks
    found["size_categories"] = [next((name for name, limit in LARGER if snapshot.rows < limit), "n>10B")]
    if tables:
        named = {ONLY if [*tables] == ["all"] else split: (split, paths) for split, paths in tables.items()}
        files = [{"split": name, "path": _pattern(paths)} for name, (_, paths) in named.items()]
        found["configs"] = [{"config_name": "default", "data_files": files}]
        if features := _features(snapshot, tables):
            splits = [{"name": name, **_sizes(snapshot, *its)} for name, its in named.items()]
            found["dataset_info"] = {"features": features, "splits": splits}
    return found


def _pattern(paths: Sequence[str]) -> str | list[str]:
    """Return the tables of a split: the only one, or all of a kind in each of their folders."""
    if len(paths) == 1:
        return paths[0]
    return sorted({f"{path.rpartition('/')[0]}/*.{path.rpartition('.')[2]}" for path in paths})


LISTS = ("languages", "tasks")
"""What a version says of itself in lists; all else is a text."""


def about_of(snapshot: Snapshot) -> dict[str, Any]:
    """Return what a version says of itself for people; not every old one says all of it."""
    said = {"title": snapshot.dataset, "description": "", "license": "unknown"} | snapshot.metadata["dataset"]
    return {name: [*map(str, _listed(value))] if name in LISTS else str(value) for name, value in said.items()}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _sizes(snapshot: Snapshot, split: str, paths: Sequence[str]) -> dict[str, int]:
    """Return the bytes and the rows of a split."""
    sizes = [snapshot.local(f"{snapshot.folder}/{path}").stat().st_size for path in paths]
    return {"num_bytes": sum(sizes), "num_examples": snapshot.sizes[split]}


def _licence(about: Mapping[str, Any]) -> dict[str, str]:
    """Return the licence by the Hub's name; of one that it does not know, what it is called."""
    known = "-".join(about["license"].lower().split())
    if known in LICENCES:
        return {"license": known}
    link = {"license_link": about["homepage"]} if "homepage" in about else {}
    return {"license": "other", "license_name": UNSAFE.sub("-", about["license"].lower()).strip("-"), **link}


def _features(snapshot: Snapshot, tables: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """Return the columns as `datasets` writes them; none but those of Parquet files whose types it has."""
    if not all(path.endswith(".parquet") for paths in tables.values() for path in paths):
        return []
    columns = snapshot.metadata["schema"]["features"]
    try:
        found = [_feature(arrow_type(about["dtype"])) for about in columns.values()]
    except ValueError:
        return []
    return [{"name": name, **about} for name, about in zip(columns, found, strict=True)] if all(found) else []


def _feature(dtype: pa.DataType) -> dict[str, Any] | None:
    """Return a type as `datasets` writes it in YAML; None for one that this does not know."""
    if pat.is_fixed_size_list(dtype) or is_list(dtype):
        inner = _feature(dtype.value_type)
        if inner is None:
            return None
        length = {"length": dtype.list_size} if pat.is_fixed_size_list(dtype) else {}
        return {"list": inner["dtype"] if [*inner] == ["dtype"] else inner, **length}
    if pat.is_string(dtype) or pat.is_large_string(dtype):
        return {"dtype": "string"}
    if pat.is_date32(dtype):
        return {"dtype": "date32"}
    if pat.is_floating(dtype):
        return {"dtype": f"float{dtype.bit_width}"}
    if pat.is_integer(dtype) or pat.is_boolean(dtype) or pat.is_timestamp(dtype) or pat.is_binary(dtype):
        return {"dtype": str(dtype)}
    return None
