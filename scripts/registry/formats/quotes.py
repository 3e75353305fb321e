"""Read CSV files in which quotes are characters like others, as dumps of databases and corpora have them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def with_quotes(path: Path, *, separator: str, encoding: str) -> Iterator[Path]:
    """Yield a file that is quoted as RFC 4180 says, line by line the same as one in which quotes mean nothing.

    It is gone after the block. Where there is no quote, and where the text is not in this encoding, it is the very
    file, of which strict readers say what is wrong.
    """
    with TemporaryDirectory() as folder:
        target = Path(folder, path.name)
        yield target if _rewritten(path, target, separator, encoding) else path


def _rewritten(path: Path, target: Path, separator: str, encoding: str) -> bool:
    marked = "utf-8-sig" if encoding == "utf-8" else encoding
    found = False
    try:
        with (
            path.open(encoding=marked, newline="\n") as source,
            target.open("w", encoding=encoding, newline="") as copy,
        ):
            for line in source:
                found = found or '"' in line
                copy.write(_quoted(line, separator) if '"' in line else line)
    except UnicodeError:
        return False
    return found


def _quoted(line: str, separator: str) -> str:
    text = line.removesuffix("\n").removesuffix("\r")
    fields = [f'"{field.replace(chr(34), chr(34) * 2)}"' if '"' in field else field for field in text.split(separator)]
    return separator.join(fields) + line[len(text) :]
