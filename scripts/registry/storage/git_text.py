"""How git's commands take and print names, which may hold any byte but NUL, the ends of lines among them."""

from collections.abc import Iterable

from registry.gate import GateError


def encoded(text: str) -> bytes:
    """Return text as git takes it: what `decoded` made of its bytes becomes these bytes again."""
    return text.encode("utf-8", errors="surrogateescape")


def decoded(printed: bytes) -> str:
    """Return what git printed as text; bytes that are not UTF-8 are kept."""
    return printed.decode("utf-8", errors="surrogateescape")


def records(printed: str, end: str = "\n") -> list[str]:
    """Return the records of what git printed, each of which ends with `end`, and with nothing else."""
    return [record for record in printed.split(end) if record]


def one_per_line(names: Iterable[str]) -> bytes:
    """Return names as the batch commands take them. Raises GateError for one that is several lines."""
    names = list(names)
    for name in (odd for odd in names if "\n" in odd):
        raise GateError(f"{ascii(name)} is not the name of a file")
    return encoded("".join(f"{name}\n" for name in names))


def quoted(path: str) -> str:
    """Return a path as git takes it where it is to be one line, whatever is in it."""
    return '"' + "".join(f"\\{byte:03o}" for byte in encoded(path)) + '"'
