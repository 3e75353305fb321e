"""Describe a version for programs, croissant.json: its files with their hashes, and typed records to read from them.

The format is Croissant, https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html.
"""

import json
from collections.abc import Mapping
from typing import Any

from registry.cards.card import ADDRESS, WRITTEN, Occasion
from registry.cards.distribution import Distribution
from registry.cards.fields import Ids
from registry.cards.hub import about_of
from registry.cards.records import record_sets
from registry.shown import printable
from registry.storage.snapshot import Snapshot

CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The words of Croissant 1.1, which every document declares in full."""
LARGEST = 4 << 20
"""Bytes that a description may have: of what git has of a version, no file is read that has twice as many."""
_SPDX = (
    "AFL-3.0 Apache-2.0 Artistic-2.0 BSD-2-Clause BSD-3-Clause BSD-3-Clause-Clear BSL-1.0 C-UDA-1.0 CC-BY-2.0 "
    "CC-BY-2.5 CC-BY-3.0 CC-BY-4.0 CC-BY-NC-2.0 CC-BY-NC-3.0 CC-BY-NC-4.0 CC-BY-NC-ND-3.0 CC-BY-NC-ND-4.0 "
    "CC-BY-NC-SA-2.0 CC-BY-NC-SA-3.0 CC-BY-NC-SA-4.0 CC-BY-ND-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC0-1.0 "
    "CDLA-Permissive-1.0 CDLA-Permissive-2.0 CDLA-Sharing-1.0 EUPL-1.1 EUPL-1.2 ISC MIT MPL-2.0 MS-PL NCSA ODbL-1.0 "
    "ODC-By-1.0 OSL-3.0 PDDL-1.0 Unlicense WTFPL Zlib"
)
SPDX = {name.lower(): name for name in _SPDX.split()}
"""Licences by what they are called in any case: how https://spdx.org/licenses/ spells them."""
UNKNOWN = "unknown"
"""Said of a licence by those who do not know it."""


def croissant(snapshot: Snapshot, occasion: Occasion) -> str:
    """Return the description of a version in JSON-LD, which stands in the folder of the dataset."""
    ids = Ids()
    files = Distribution(snapshot, ids)
    document = {**_about(snapshot, occasion), "distribution": files.nodes}
    if found := record_sets(snapshot, files, ids):
        document["recordSet"] = found
    text = _text(document)
    for part in ("recordSet", "distribution"):
        if len(text.encode()) > LARGEST:
            document.pop(part, None)
            document["comment"] += f"; it is without its {part}, with which it would have more than {LARGEST:,} bytes"
            text = _text(document)
    return text


def _text(document: Mapping[str, Any]) -> str:
    """Return a document as JSON, with what cannot be printed spelt by its number."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    return (text if printable(text) == text else json.dumps(document, indent=2)) + "\n"


def _about(snapshot: Snapshot, occasion: Occasion) -> dict[str, Any]:
    """Return what is said of a version as a whole; what nobody said is left out."""
    about = about_of(snapshot)
    homepage = about.get("homepage", "")
    url = homepage if ADDRESS.fullmatch(homepage) else occasion.address or ""
    cited = f"{about['title']}, version {occasion.version}{f', {url}' if url else ''}"
    said = {
        "name": about["title"],
        "description": about["description"],
        "alternateName": snapshot.dataset,
        "conformsTo": CONFORMS_TO,
        "version": occasion.version,
        "datePublished": occasion.date.isoformat(),
        "identifier": occasion.tag,
        "url": url,
        "license": _licence(about["license"]),
        "citeAs": about.get("citation") or cited,
        "inLanguage": about.get("languages"),
        "keywords": about.get("tasks"),
        "comment": WRITTEN,
    }
    return {"@context": CONTEXT, "@type": "sc:Dataset"} | {key: value for key, value in said.items() if value}


def _licence(name: str) -> str:
    """Return the address of a licence, or what it is called where SPDX has no such licence."""
    known = SPDX.get("-".join(name.lower().split()))
    return f"https://spdx.org/licenses/{known}" if known else "" if name == UNKNOWN else name
