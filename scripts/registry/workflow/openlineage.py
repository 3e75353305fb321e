"""Put what a run makes of a dataset into OpenLineage's words: events with their facets. docs/lineage.md explains them.

They are plain JSON. The client library of OpenLineage would take longer to load than a small run takes to start; the
tests hold each event to its classes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from registry.config.load import parents, source_name
from registry.shown import one_line, public_url, shown
from registry.storage.address import public_address

PRODUCER = "urn:data-registry"
"""What made the events, as a URI."""
SPECIFICATION = "https://openlineage.io/spec"
VERSIONS = {
    "DataQualityMetricsDatasetFacet": "1-0-1",
    "DatasetVersionDatasetFacet": "1-0-1",
    "DatasourceDatasetFacet": "1-0-1",
    "DocumentationDatasetFacet": "1-1-0",
    "ErrorMessageRunFacet": "1-0-1",
    "JobTypeJobFacet": "2-0-4",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "ParentRunFacet": "1-2-0",
    "ProcessingEngineRunFacet": "1-1-1",
    "SchemaDatasetFacet": "1-2-0",
    "SourceCodeLocationJobFacet": "1-1-0",
    "SymlinksDatasetFacet": "1-0-1",
    "TagsRunFacet": "1-0-0",
}
"""The versions of the facets' schemas."""
INPUTS = 200
"""As many source files are listed of a dataset."""
FACT = "REGISTRY_RUN"
"""The source of the tags that say what a schedule or a cluster says of a run."""


def event(
    kind: str, moment: float, run: dict[str, Any], job: dict[str, Any], inputs: list[Any], output: dict[str, Any]
) -> dict[str, Any]:
    """Return an event: START, COMPLETE, FAIL or ABORT, and the time of it, of a run of a job that makes one dataset."""
    return {
        "eventType": kind,
        "eventTime": datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds"),
        "run": run,
        "job": job,
        "inputs": inputs,
        "outputs": [output],
        "producer": PRODUCER,
        "schemaURL": f"{SPECIFICATION}/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }


def facet(schema: str, **content: Any) -> dict[str, Any]:
    """Return a facet of the schema of this name, without what is None."""
    url = f"{SPECIFICATION}/facets/{VERSIONS[schema]}/{schema}.json#/$defs/{schema}"
    return {"_producer": PRODUCER, "_schemaURL": url, **{key: one for key, one in content.items() if one is not None}}


class Place:
    """Where the datasets of a registry are, by which OpenLineage tells those of one registry from another's.

    That is the address of its repository, the same for all who cloned it, by HTTPS or by SSH; `file`, and the path, for
    one that has no address which others reach.
    """

    def __init__(self, origin: str | None, root: Path) -> None:
        self.address = public_address(origin)
        self.namespace = self.address or "file"
        self._before = "" if self.address else f"{root.resolve()}/data/"

    def dataset(self, name: str, **facets: Any) -> dict[str, Any]:
        """Return a dataset, or a source file of one (`emotion/raw/train.csv`), with those facets that are not None."""
        found = {key: one for key, one in facets.items() if one is not None}
        return {"namespace": self.namespace, "name": self.name(name), "facets": found}

    def name(self, dataset: str) -> str:
        """Return the name of a dataset in the namespace."""
        return f"{self._before}{dataset}"

    def data_source(self) -> dict[str, Any]:
        """Return the facet that says where the datasets of the registry are read from."""
        return facet("DatasourceDatasetFacet", name=self.namespace, uri=_uri(self.address or f"file://{self._before}"))


def _uri(address: str) -> str:
    """Return an address as one that has no character which no URI may have."""
    return quote(public_url(address), safe="/:@!$&'()*+,;=~%[]")


def links(addresses: Iterable[str], aliases: Iterable[str], place: Place) -> dict[str, Any] | None:
    """Return the facet that says under which other names a dataset is known: addresses of its bytes, and aliases."""
    found = [
        {"namespace": f"{parts.scheme}://{parts.netloc}", "name": unquote(parts.path).lstrip("/"), "type": "LOCATION"}
        for address in dict.fromkeys(map(public_url, addresses))
        if (parts := urlsplit(one_line(address))).netloc
    ]
    found += [{"namespace": place.namespace, "name": place.name(alias), "type": "ALIAS"} for alias in aliases]
    return facet("SymlinksDatasetFacet", identifiers=found) if found else None


def declared_inputs(dataset: Mapping[str, Any], place: Place) -> list[dict[str, Any]]:
    """Return what a dataset is made of, as far as its configuration says, before anything was fetched."""
    sources = dataset.get("sources", {})
    files = [
        place.dataset(f"{dataset['name']}/raw/{source_name(one)}", symlinks=links(one["urls"], (), place))
        for one in sources.get("files", ())
    ]
    return [*files[:INPUTS], *(place.dataset(parent, dataSource=place.data_source()) for parent in parents(dataset))]


def used_inputs(provenance: Mapping[str, Any], versions: Mapping[str, str], place: Place) -> list[dict[str, Any]]:
    """Return what a dataset was made of, as its provenance says; `versions` maps parents to their released versions."""
    dataset, source = provenance["config"], provenance["source"]
    declared = {source_name(one): one["urls"] for one in dataset.get("sources", {}).get("files", ())}
    files = []
    for one in source["files"][:INPUTS]:
        # In modes other than upstream, it is the mode that served it.
        served = one.get("served_by") or ""
        addresses = [one.get("url") or "", *declared.get(one["file"], ())]
        files.append(
            place.dataset(
                f"{dataset['name']}/raw/{one['file']}",
                version=facet("DatasetVersionDatasetFacet", datasetVersion=f"sha256:{one['sha256']}"),
                dataSource=facet(
                    "DatasourceDatasetFacet", name=source["mode"], uri=_uri(served) if "://" in served else None
                ),
                symlinks=links(addresses, (), place),
            )
        )
    made_of = [
        place.dataset(
            parent,
            version=facet("DatasetVersionDatasetFacet", datasetVersion=versions.get(parent, content_hash)),
            dataSource=place.data_source(),
        )
        for parent, content_hash in source.get("datasets", {}).items()
    ]
    return [*files, *made_of]


def output_of(dataset: Mapping[str, Any], aliases: Sequence[str], place: Place) -> dict[str, Any]:
    """Return a dataset as it is known before it is made, or when that has failed."""
    return place.dataset(
        dataset["name"],
        dataSource=place.data_source(),
        symlinks=links((), aliases, place),
        documentation=facet("DocumentationDatasetFacet", description=dataset["about"]["description"]),
    )


def made_output(
    output: Mapping[str, Any], metadata: Mapping[str, Any], provenance: Mapping[str, Any], tag: str | None
) -> dict[str, Any]:
    """Return the same when it was made; the content hash is its version where it has no tag."""
    rows = sum(split["num_samples"] for split in metadata["splits"].values())
    data = provenance["data"]
    facets = {
        "schema": facet("SchemaDatasetFacet", fields=_fields(metadata["schema"]["features"])),
        "version": facet("DatasetVersionDatasetFacet", datasetVersion=tag or metadata["content_hash"]),
        "dataQualityMetrics": facet(
            "DataQualityMetricsDatasetFacet",
            rowCount=rows,
            bytes=data["bytes"],
            fileCount=data["files"],
            columnMetrics=_measures(metadata, provenance),
        ),
    }
    statistics = facet("OutputStatisticsOutputDatasetFacet", rowCount=rows, size=data["bytes"], fileCount=data["files"])
    return {**output, "facets": {**output["facets"], **facets}, "outputFacets": {"outputStatistics": statistics}}


def _fields(features: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {"name": name, "type": spec["dtype"], "ordinal_position": position}
        | ({"description": spec["description"]} if "description" in spec else {})
        for position, (name, spec) in enumerate(features.items(), start=1)
    ]


def _measures(metadata: Mapping[str, Any], provenance: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is known of each column: its statistics, and that it has no nulls where its contract forbids them."""
    columns = provenance["config"]["contract"]["columns"]
    statistics = metadata.get("statistics", {}).get("features", {})
    found: dict[str, dict[str, Any]] = {}
    for name in metadata["schema"]["features"]:
        held = name in columns and not columns[name].get("nullable")
        measured = statistics.get(name, {})
        found[name] = {
            **({"nullCount": 0} if held else {}),
            **{key: measured[key] for key in ("min", "max") if key in measured},
            **({"quantiles": {"0.5": measured["median"]}} if "median" in measured else {}),
        }
    return found


def job_of(dataset: str, namespace: str, place: Place, commit: str | None) -> dict[str, Any]:
    """Return the job that makes a dataset, and where it is defined."""
    path = f"config/datasets/{dataset}.yaml"
    location = place.address and facet(
        "SourceCodeLocationJobFacet",
        type="git",
        url=f"{place.address}/blob/{commit}/{path}" if commit else place.address,
        repoUrl=place.address,
        path=path,
        version=commit,
    )
    kind = facet("JobTypeJobFacet", processingType="BATCH", integration="SNAKEMAKE", jobType="DATASET")
    facets = {"jobType": kind, **({"sourceCodeLocation": location} if location else {})}
    return {"namespace": namespace, "name": dataset, "facets": facets}


def run_facets(facts: Mapping[str, str], parent: Mapping[str, str] | None) -> dict[str, Any]:
    """Return what is said of a run: its parent {namespace, name, id}, what `facts` say, and Snakemake's version."""
    engine = facet("ProcessingEngineRunFacet", name="snakemake", version=version("snakemake"))
    facets = {"processing_engine": engine}
    if parent:
        job = {key: parent[key] for key in ("namespace", "name")}
        facets["parent"] = facet("ParentRunFacet", run={"runId": parent["id"]}, job=job)
    if facts:
        tags = [{"key": key, "value": value, "source": FACT} for key, value in facts.items()]
        facets["tags"] = facet("TagsRunFacet", tags=tags)
    return facets


def failure(message: str) -> dict[str, Any]:
    """Return the facet of a run that failed or was stopped."""
    return facet("ErrorMessageRunFacet", message=shown(message), programmingLanguage="PYTHON")
