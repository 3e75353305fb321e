"""Name the scripts that a dataset is made with, without Snakemake, which takes a second to read the rules."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from registry.config import embeddings
from registry.config.kinds import PICTURES
from registry.config.names import rule_of

DOWNLOAD, PROMPT = "shared/download.py", "shared/prompt.py"
OF_EMBEDDINGS = tuple(f"kinds/embeddings/{step}.py" for step in ("chunk", "shard", "embed", "analyze"))
NAMED = re.compile(r'"\.\./\.\./scripts/([^"{}]+\.py)"')
"""A script in the rules of a dataset."""
INHERITED = "use rule download from steps"


def scripts_of(dataset: Mapping[str, Any], root: Path) -> list[str]:
    """Return the scripts, relative to scripts/, that make a dataset of the checkout at `root`, sorted.

    They are those of its kind, or those that workflow/rules/<name>.smk names.
    """
    kind = dataset.get("kind")
    if kind == embeddings.KIND:
        return sorted(OF_EMBEDDINGS)
    if kind:
        analysis = "analyze_pictures" if kind in PICTURES else "analyze"
        prompt = [PROMPT] if "prompt" in dataset["params"] else []
        return sorted([DOWNLOAD, *prompt, f"kinds/{kind}.py", f"kinds/{analysis}.py"])
    try:
        rules = (root / "workflow" / "rules" / f"{rule_of(dataset['name'])}.smk").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return sorted({*NAMED.findall(rules), *([DOWNLOAD] if INHERITED in rules else [])})
