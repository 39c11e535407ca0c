"""PURE: what a list leaves out: objects by field selector, and all but metadata (recording 10)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_METADATA_ONLY: Final = "as=PartialObjectMetadataList"
_FIELDS: Final = ("metadata.name", "metadata.namespace")
_OF_PODS: Final = ("spec.nodeName", "spec.serviceAccountName", "status.phase")


def selected(found: Mapping[str, Any], selector: str, accept: str) -> dict[str, Any]:
    """The list as its caller wants it.

    Args:
        found: of all.
        selector: `spec.nodeName=node1,metadata.name!=a`; empty = all.
        accept: content types.

    Raises:
        ValueError: a field that this resource can't be selected by; the text is the API server's.
    """
    wanted = list(_parts(selector, found["kind"]))
    items = [
        item for item in found["items"] if all((_at(item, field) == value) is equal for field, value, equal in wanted)
    ]
    if _METADATA_ONLY in accept.split(",", maxsplit=1)[0].split(";"):
        group = {"apiVersion": "meta.k8s.io/v1"}
        items = [{"kind": "PartialObjectMetadata", **group, "metadata": item["metadata"]} for item in items]
        return {**found, "kind": "PartialObjectMetadataList", **group, "items": items}
    return {**found, "items": items}


def _parts(selector: str, kind: str) -> Iterator[tuple[str, str, bool]]:
    for part in filter(None, selector.split(",")):
        field, _, value = part.replace("==", "=").partition("=")
        equal = not field.endswith("!")
        field = field.removesuffix("!")
        if field not in _FIELDS and not (kind == "PodList" and field in _OF_PODS):
            raise ValueError(f"field label not supported: {field}")
        yield field, value, equal


def _at(item: Mapping[str, Any], field: str) -> Any:
    place: Any = item
    for step in field.split("."):
        place = place.get(step, "") if isinstance(place, Mapping) else ""
    return place
