"""What a dataset may be called, and what its rules, their module and the folder of its scripts are called."""

NAME = r"[a-z0-9]+(-[a-z0-9]+)*"
TAKEN = ("all", "common", "registry", "samples", "shared", "steps")
"""Names that rules, their modules and folders have already."""


def rule_of(dataset: str) -> str:
    """Return what a dataset is called in the names of its rules, of their module, and of the folder of its scripts."""
    return dataset.replace("-", "_")
