"""Hold events to the classes that OpenLineage generates from its JSON schemas, and to the formats that these name."""

import types
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit
from uuid import UUID

import attr
from openlineage.client import facet_v2
from openlineage.client.event_v2 import RunEvent
from openlineage.client.generated.base import BaseFacet

KEYS = {
    "dataQualityMetrics": "DataQualityMetricsDatasetFacet",
    "dataSource": "DatasourceDatasetFacet",
    "documentation": "DocumentationDatasetFacet",
    "errorMessage": "ErrorMessageRunFacet",
    "jobType": "JobTypeJobFacet",
    "outputStatistics": "OutputStatisticsOutputDatasetFacet",
    "parent": "ParentRunFacet",
    "processing_engine": "ProcessingEngineRunFacet",
    "schema": "SchemaDatasetFacet",
    "sourceCodeLocation": "SourceCodeLocationJobFacet",
    "symlinks": "SymlinksDatasetFacet",
    "tags": "TagsRunFacet",
    "version": "DatasetVersionDatasetFacet",
}
"""Under which key the specification puts each facet."""
FORMATS = {
    **dict.fromkeys(("producer", "_producer", "schemaURL", "_schemaURL", "uri", "url"), "uri"),
    "eventTime": "date-time",
    "runId": "uuid",
}


def check_event(event: dict[str, Any]) -> None:
    """Check that an event is one of a run, with no key that its class has not, and each value of its type."""
    _check(RunEvent, event, "event")
    assert event["schemaURL"] == RunEvent._get_schema()


def _check(kind: Any, value: Any, where: str) -> None:
    if kind is Any:
        return
    if attr.has(kind):
        _check_object(kind, value, where)
        return
    if get_origin(kind) in (Union, types.UnionType):
        if value is not None:
            kinds = [one for one in get_args(kind) if one is not type(None)]
            assert len(kinds) == 1, where
            _check(kinds[0], value, where)
    elif get_origin(kind) is list:
        assert isinstance(value, list), where
        for number, one in enumerate(value):
            _check(get_args(kind)[0], one, f"{where}[{number}]")
    elif get_origin(kind) is dict:
        assert isinstance(value, dict), where
        for key, one in value.items():
            expected = get_args(kind)[1]
            _check(_facet(expected, key, where) if _is_facet(expected) else expected, one, f"{where}.{key}")
    elif issubclass(kind, Enum):
        kind(value)
    else:
        allowed = (int, float) if kind is float else kind
        assert isinstance(value, allowed), f"{where}: {value!r} is no {kind.__name__}"
        assert isinstance(value, bool) == (kind is bool), where


def _check_object(kind: Any, value: Any, where: str) -> None:
    assert isinstance(value, dict), where
    fields, hints = {one.name: one for one in attr.fields(kind)}, _hints(kind)
    assert value.keys() <= fields.keys(), f"{where}: {value.keys() - fields.keys()} is not in {kind.__name__}"
    needed = {name for name, one in fields.items() if one.default is attr.NOTHING}
    assert needed <= value.keys(), f"{where}: without {needed - value.keys()}"
    for key, one in value.items():
        _check(hints[key], one, f"{where}.{key}")
        _check_format(FORMATS.get(key), one, f"{where}.{key}")
    if issubclass(kind, BaseFacet):
        assert value["_producer"] and value["_schemaURL"] == kind._get_schema(), where


def _check_format(named: str | None, value: Any, where: str) -> None:
    match named:
        case "uri":
            assert urlsplit(value).scheme and value.isascii() and " " not in value, f"{where}: {value!r} is no URI"
        case "date-time":
            assert datetime.fromisoformat(value).tzinfo is not None, where
        case "uuid":
            assert str(UUID(value)) == value, where


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _is_facet(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseFacet)


def _facet(base: type, key: str, where: str) -> type:
    """Return the class of the facet under a key, which must be one of those that stand here."""
    for module in vars(facet_v2).values():
        found = getattr(module, KEYS[key], None)
        if found is not None:
            assert issubclass(found, base), f"{where}.{key}: not where the specification has it"
            return found
    raise AssertionError(f"{where}.{key}: unknown")
