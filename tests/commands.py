"""The arguments of those commands of `registry` whose spelling has changed before, in one place."""


def unpin(dataset: str) -> tuple[str, ...]:
    """Take the pin of a dataset away."""
    return ("unpin", dataset)


def republish(dataset: str, version: str, reason: str) -> tuple[str, ...]:
    """Release the content of an older version under a new number."""
    return ("republish", dataset, version, "--reason", reason)
