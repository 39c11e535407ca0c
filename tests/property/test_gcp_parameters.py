"""A class for Google Cloud, whatever stands in it: a request or InvalidParameters, and only clean hosts."""

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from sscsi_provider_gcp.channels import Endpoints
from sscsi_provider_gcp.parameters import FIELDS, GcpRequest, Search, read_request
from sscsi_shared.errors import InvalidParameters
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
