"""Make the checkouts in which the pods of a workflow build, and write down which pod builds what.

    prepare_checkouts.py BUILDS CHECKOUTS

It runs in the checkout `main`, and the others are made beside it. MODE is one-pod (all in `main`) or fan-out: a pod for
each group of datasets that are made of each other, and a checkout for each pod, since runs in one wait for each other.
BUILDS gets a JSON list of {"checkout", "datasets"}, and CHECKOUTS the names of the checkouts.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from follow_origin import follow_origin

from registry.config.load import Datasets, load_datasets, needed, selected
from registry.errors import RegistryError
from registry.storage.repository import read_config


def groups(datasets: Datasets) -> dict[str, set[str]]:
    """Return the sets of datasets of which none is made of, or refers to, one in another set, by their first names."""
    found = [{name} for name in datasets.broken]
    for name, dataset in datasets.items():
        joined = {name, *needed(dataset)}
        apart = [group for group in found if not group & joined]
        found = [*apart, joined.union(*(group for group in found if group & joined))]
    return {min(group): group for group in found}


def builds(wanted: list[str], datasets: Datasets, mode: str) -> list[dict[str, str]]:
    """Return which checkout builds which datasets. Raises RegistryError for names and modes that are not there."""
    known = {*datasets, *datasets.broken}
    if unknown := [name for name in wanted if name not in known]:
        raise RegistryError(f"no such dataset: {', '.join(unknown)}", where="DATASETS", hint=f"one of {sorted(known)}")
    if mode == "one-pod":
        return [{"checkout": "main", "datasets": " ".join(wanted)}]
    if mode != "fan-out":
        raise RegistryError(f"no such mode: {mode}", where="MODE", hint="one-pod or fan-out")
    shared = {first: [name for name in wanted if name in group] for first, group in groups(datasets).items()}
    return [
        {"checkout": f"of-{first}", "datasets": " ".join(names)} for first, names in sorted(shared.items()) if names
    ]


def make_checkout(folder: Path, environment: Mapping[str, str]) -> None:
    """Clone the registry, or let the clone that is there follow origin. A clone that was cut off is made anew.

    Raises RegistryError as follow_origin does.
    """
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.new")
        shutil.rmtree(partial, ignore_errors=True)
        clone = ["git", "clone", "--branch", environment["BRANCH"], "--", environment["REPOSITORY"], str(partial)]
        subprocess.run(clone, check=True)  # noqa: S603
        partial.rename(folder)
    follow_origin(folder, environment)


def main(builds_file: str, checkouts_file: str) -> None:
    """Do it for what the environment says."""
    config = read_config(Path())
    datasets = load_datasets(config)
    wanted = os.environ.get("DATASETS", "").split()
    if os.environ["MODE"] == "fan-out" and not wanted:
        wanted = selected(config, {**datasets, **datasets.broken})
    planned = builds(wanted, datasets, os.environ["MODE"])
    names = [build["checkout"] for build in planned]
    for name in names:
        folder = Path.cwd().parent / name
        if name != "main":
            make_checkout(folder, os.environ)
        if os.environ.get("DRY_RUN") != "true":
            # A pod that never starts is not judged by the run before.
            (folder / "logs" / "run.json").unlink(missing_ok=True)
    Path(builds_file).write_text(json.dumps(planned), encoding="utf-8")
    Path(checkouts_file).write_text(" ".join(names), encoding="utf-8")
    print(json.dumps(planned, indent=2))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("prepare_checkouts.py BUILDS CHECKOUTS: give the two files that it writes")
    try:
        main(*sys.argv[1:])
    except RegistryError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError:
        sys.exit(1)
