"""A class for Google Cloud, whatever stands in it: a request or InvalidParameters, and only clean hosts."""

import json
import re
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from sscsi_provider_gcp.channels import Endpoints
from sscsi_provider_gcp.parameters import FIELDS, GcpRequest, Search, read_request
from sscsi_provider_gcp.secretmanager import filter_of
from sscsi_shared.errors import InvalidParameters
from sscsi_shared.object_fields import Selection
from sscsi_shared.parameters import read_mount

PART = st.text(st.sampled_from("ab1-_./:@ {}\n\0é"), max_size=8) | st.sampled_from(
    ["latest", "1", "global", "us-east1"]
)
NAME = st.builds(
    "projects/{}/locations/{}/{}/{}/versions/{}".format,
    PART,
    PART,
    st.sampled_from(["secrets", "parameters"]),
    PART,
    PART,
) | st.builds("projects/{}/secrets/{}/versions/{}".format, PART, PART, PART)
VALUE = NAME | PART | st.integers(-8, 5000) | st.booleans() | st.none() | st.lists(PART, max_size=2)
ENTRY = st.dictionaries(st.sampled_from(FIELDS), VALUE, max_size=5) | VALUE
CLASS = st.fixed_dictionaries(
    {"secrets": st.lists(ENTRY, max_size=3).map(json.dumps) | st.text(max_size=30)},
    optional={
        "auth": PART,
        "project": PART,
        "location": PART,
        "serviceAccount": PART,
        "workloadIdentityProvider": PART,
    },
)
HOST = re.compile(r"(secret|parameter)manager\.([a-z0-9-]{1,30}\.rep\.)?googleapis\.com:443")


@settings(max_examples=400, deadline=None)
@given(CLASS)
def test_a_class_is_read_or_refused(parameters: dict[str, str]) -> None:
    mount = read_mount(json.dumps(parameters), "null", "420", "/t", ())
    try:
        request: GcpRequest = read_request(mount)
    except InvalidParameters:
        return
    for entry in request.entries:
        if not isinstance(entry.resource, Search):
            host = Endpoints().of(entry.resource.kind, entry.resource.location, "googleapis.com")
            assert HOST.fullmatch(host)
            assert entry.resource.name.startswith("projects/")


FILTER = re.compile(r'(name:"[\w-]+"|labels\.[\w-]+="[\w-]*")( AND labels\.[\w-]+="[\w-]*")*')
LABEL = st.text(st.sampled_from('ab1-_é "\\()=:*,ORAND\n'), max_size=6)


@settings(max_examples=400, deadline=None)
@given(LABEL, st.dictionaries(LABEL, LABEL, max_size=3))
def test_a_filter_says_what_was_selected_and_no_more(prefix: str, tags: dict[str, str]) -> None:
    """Whoever reads it as AIP-160 says finds these terms; whatever else a class may write is refused before."""
    assert _terms_of(filter_of(Selection(prefix, tuple(tags.items()))), tags) == (prefix, tags)
    select = {"prefix": prefix, "tags": tags}
    entry = json.dumps([{"resourceName": "projects/p", "select": select}])
    try:
        (read,) = read_request(read_mount(json.dumps({"secrets": entry}), "null", "420", "/t", ())).entries
    except InvalidParameters:
        return
    assert isinstance(read.resource, Search)
    assert FILTER.fullmatch(filter_of(read.resource.selection))


def _terms_of(text: str, keys: Iterable[str]) -> tuple[str, dict[str, str]]:
    """The terms of a filter whose keys are known; a text ends at the first quotation mark without a backslash."""
    prefix, tags = "", {}
    left = text
    for start, key in [("name:", None), *((f"labels.{key}=", key) for key in keys)]:
        left = left.removeprefix(" AND ") if key is not None else left
        if key is None and not left.startswith(start + '"'):
            continue
        found = re.match(r'"((?:[^"\\]|\\.)*)"', left.removeprefix(start), re.DOTALL)
        assert found is not None
        value = re.sub(r"\\(.)", r"\1", found[1], flags=re.DOTALL)
        left = left.removeprefix(start)[found.end() :]
        if key is None:
            prefix = value
        else:
            tags[key] = value
    assert not left
    return prefix, tags
