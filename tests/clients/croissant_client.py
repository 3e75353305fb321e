"""A program that reads datasets as their croissant.json describes them, run by a Python that has mlcroissant.

python croissant_client.py FILE...; prints as JSON {file: {"issues": [what validation finds], "records": {record set:
[record]}}}, of a record set that cannot be read why. Fields are called by their names, or, where another field of the
record has that, by their @id.
"""

import json
import logging
import sys
from typing import Any

import mlcroissant
from absl.logging import get_absl_logger
from PIL import Image


class Warnings(logging.Handler):
    """Keeps what is logged as a warning, or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage())


def read(file: str, logged: Warnings) -> dict[str, Any]:
    """Validate a description, and read all records."""
    logged.found.clear()
    try:
        dataset = mlcroissant.Dataset(file)
    except mlcroissant.ValidationError as error:
        return {"issues": [str(error)], "records": {}}
    issues = dataset.metadata.issues
    names = {node.uuid: node.name for node in dataset.metadata.nodes()}
    records = {each.uuid: read_records(dataset, each.uuid, names) for each in dataset.metadata.record_sets}
    return {"issues": [*issues.errors, *issues.warnings, *logged.found], "records": records}


def read_records(dataset: mlcroissant.Dataset, record_set: str, names: dict[str, str]) -> list[Any] | str:
    try:
        return [plain(record, names) for record in dataset.records(record_set)]
    except mlcroissant.GenerationError as error:
        return str(error.__cause__)


def plain(value: Any, names: dict[str, str]) -> Any:
    """Return a value as JSON has it; of a picture its mode and size."""
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for key, one in value.items():
            found[key if names[key] in found else names[key]] = plain(one, names)
        return found
    if isinstance(value, list):
        return [plain(one, names) for one in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Image.Image):
        return [value.mode, *value.size]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


if __name__ == "__main__":
    handler = Warnings()
    for logger in (logging.getLogger(), get_absl_logger()):
        logger.addHandler(handler)
    json.dump({file: read(file, handler) for file in sys.argv[1:]}, sys.stdout)
