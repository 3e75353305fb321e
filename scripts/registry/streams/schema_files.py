"""Read the file of a schema that `stream.schema` names."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

from registry.errors import RegistryError
from registry.extras import check_installed
from registry.files import read_regular
from registry.formats.fields import SchemaError
from registry.formats.protobuf import files_of, only_message, packed, unpacked
from registry.sources.writers import Schema
from registry.streams.settings import MAX_SCHEMA, Stream

COMPILING = 60
"""Seconds that a compiler may take."""


def read_schema(root: Path, stream: Stream) -> Schema | None:
    """Return the schema of a stream's file, which is named from the top of the checkout. Raises RegistryError."""
    if stream.schema is None:
        return None
    path = root / stream.schema
    try:
        if stream.format == "protobuf":
            text = packed_file(path)
            return Schema(stream.format, text, message=stream.message or only_message(unpacked(text)))
        return Schema(stream.format, _content(path).decode())
    except OSError as error:
        raise RegistryError(
            f"cannot be read: {error.strerror}", where=stream.schema, hint="check stream.schema"
        ) from None
    except (SchemaError, UnicodeDecodeError) as error:
        what = str(error) if isinstance(error, SchemaError) else "not UTF-8"
        raise unusable(what, stream.schema) from None


def unusable(what: object, where: object) -> RegistryError:
    """Return the error for the file of a schema that is none."""
    return RegistryError(str(what), where=where, hint="put it right (docs/streams.md)")


def packed_file(path: Path) -> str:
    """Return what a batch keeps of a file of Protobuf: a `.proto`, or what one was compiled to. Raises SchemaError."""
    content = _content(path)
    return packed(files_of(_compiled(path) if path.suffix == ".proto" else content))


def _content(path: Path) -> bytes:
    content = read_regular(path, MAX_SCHEMA + 1)
    if len(content) > MAX_SCHEMA:
        raise SchemaError(f"more than {MAX_SCHEMA:,} bytes")
    return content


def _compiled(path: Path) -> bytes:
    """Return the set that a `.proto` is compiled to, with what it imports from its folder. Raises SchemaError."""
    check_installed("grpc_tools")
    folder = path.parent.absolute()
    with TemporaryDirectory() as place:
        out = Path(place, "compiled")
        compiler = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"-I{files('grpc_tools') / '_proto'}"]
        command = [*compiler, "--include_imports", f"--descriptor_set_out={out}", folder / path.name]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=COMPILING)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise SchemaError(f"not compiled within {COMPILING} s") from None
        if done.returncode or not out.is_file():
            said = (done.stderr.strip() or "the compiler ended").partition("\n")[0]
            raise SchemaError(f"no Protobuf: {said.removeprefix(f'{folder}/')}")
        return _content(out)
