"""Find the libraries whose versions can show in a dataset."""

import platform
import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from registry.config.fingerprint import SCRIPTS, code_files, imports_of

HARMLESS = ("config", "sources", "gate.py", "describe/near_pictures.py")
"""What in registry/ reads configuration, fetches bytes that are checked, or looks for pictures that are alike.

Its libraries show in no data.
"""


def libraries_behind(code: Iterable[str], scripts: Path = SCRIPTS) -> dict[str, str]:
    """Return {library: version}, Python first, of what the code behind scripts (relative to `scripts`) imports.

    What a function imports counts only if this process has loaded it: it may be for a case that did not occur.
    """
    files = {file for script in code for file in code_files(script, scripts) if file.suffix == ".py"}
    harmless = {scripts / "registry" / room for room in HARMLESS}
    files = {file for file in files if not harmless & {file, file.parent}}
    at_once = {name.partition(".")[0] for file in files for name in imports_of(file).at_once}
    later = {name.partition(".")[0] for file in files for name in imports_of(file).anywhere}
    own = {path.stem for path in scripts.iterdir()}
    modules = (at_once | (later & sys.modules.keys())) - own - sys.stdlib_module_names
    found = {re.sub(r"[-_.]+", "-", one.name).lower(): one.version for one in _distributions(modules)}
    return {"python": platform.python_version()} | dict(sorted(found.items()))


def _distributions(modules: Iterable[str]) -> list[Distribution]:
    """Return what was installed to bring modules. Most are called like theirs; for the others all are looked through.

    packages_distributions() of the standard library takes ten times as long.
    """
    found, missing = [], []
    for module in modules:
        try:
            found.append(distribution(module))
        except PackageNotFoundError:
            missing.append(f"\n{module}/__init__.py,")
    for one in distributions() if missing else ():
        listed = f"\n{one.read_text('RECORD')}"
        if any(file in listed for file in missing):
            found.append(one)
    return found
