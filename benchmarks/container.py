"""Measure the images of the Dockerfile, and a build of the samples in one, and write benchmarks/container.md.

python benchmarks/container.py, as root, with podman, runc and debootstrap; it builds the images from nothing.
Sizes are those of all layers, uncompressed, without the base's.
"""

import json
import sys
import tempfile
from pathlib import Path

from measure import ROOT, clone, run, write_lines

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "deploy")]
from podman import BASE, Mount, Podman  # noqa: E402

TARGETS = ("client", "registry", "kubernetes", "ray", "dagster")
HEAD = ["| what | wall s | MB |", "|---|---|---|"]


def main() -> None:
    """Measure everything."""
    with tempfile.TemporaryDirectory() as folder:
        podman = Podman(Path(folder, "podman"))
        podman.make_base()
        rows = [row_of(podman, target) for target in TARGETS]
        rows.append(f"| samples, outside | {samples(Path(folder, 'outside')):.1f} | |")
        rows.append(f"| samples, in `registry` | {samples(Path(folder, 'inside'), podman):.1f} | |")
        podman.call("system", "reset", "--force")
    write_lines("container", [*HEAD, *rows])


def row_of(podman: Podman, target: str) -> str:
    """Build an image from nothing, and return the line of the table about it."""
    with podman.build_command(target, "--no-cache") as command:
        built = run(*command, env=podman.environment())
    size = size_of(podman, podman.name_of(target)) - size_of(podman, BASE)
    return f"| image `{target}` | {built.wall:.0f} | {size / 1e6:.0f} |"


def size_of(podman: Podman, image: str) -> int:
    """Return the bytes of an image's layers."""
    return json.loads(podman.call("image", "inspect", image))[0]["Size"]


def samples(folder: Path, podman: Podman | None = None) -> float:
    """Return the seconds that a build of all samples takes in a new copy of the repository, releasing nothing."""
    command = ["snakemake", "--cores", "2", "--config", "publish=false"]
    if podman is None:
        return run(*command, folder=clone(folder)).wall
    inside = ["podman", "run", "--rm", "--user=0:0", "--network=none", Mount(clone(folder)).option()]
    return run(*inside, podman.name_of("registry"), *command, env=podman.environment()).wall


if __name__ == "__main__":
    main()
