"""Certificates and keys: any chain in any order, both formats, RSA, EC and Ed25519; and openssl reads what we write."""

import base64
import contextlib
import itertools
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from pki import KINDS, NAMES, chain, key, pem, pfx
from sscsi_shared.certificates import Bundle, CertificatePart, Part, ordered, read, write
from sscsi_shared.errors import ObjectUnusable


@pytest.mark.parametrize("identifiers", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_every_order_comes_out_as_leaf_to_root(kind: str, identifiers: bool) -> None:
    expected = chain(kind, unidentified=() if identifiers else NAMES)
    for order in itertools.permutations(expected):
        assert ordered(order) == expected
        assert ordered(order, key(kind, "leaf")) == expected


def test_odd_chains_never_fail() -> None:
    leaf, lower, middle, root = chain("ec")
    assert ordered((root, leaf)) == (leaf, root)
    assert ordered((root, leaf, middle)) == (leaf, root, middle), "an intermediate is missing"
    assert ordered((root, root)) == (root,)
    assert ordered(()) == ()
    other = chain("rsa")[0]
    assert ordered((other, lower, leaf), key("ec", "leaf")) == (leaf, lower, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("encoded", [False, True])
def test_from_pfx_to_pem_and_back(kind: str, encoded: bool) -> None:
    bundle = Bundle(key(kind, "leaf"), chain(kind))
    pfx = write(bundle, Part.PFX)
    again = read(base64.encodebytes(pfx) if encoded else pfx)
    assert again.certificates == bundle.certificates
    text = write(again, Part.PEM)
    assert text.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    third = read(text)
    assert third.certificates == bundle.certificates
    assert write(third, Part.KEY) == write(bundle, Part.KEY)


@pytest.mark.parametrize("name", [b"leaf", b"lower"])
def test_a_certificate_whose_names_can_not_be_read_is_none(name: bytes) -> None:
    der = chain("ec")[0].public_bytes(serialization.Encoding.DER)
    odd = der.replace(bytes([0x0C, len(name)]) + name, bytes([0x0C, len(name)]) + b"\xff" * len(name))
    assert odd != der
    text = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(odd) + b"-----END CERTIFICATE-----\n"
    with pytest.raises(ObjectUnusable, match="a certificate in the PEM text can't be read"):
        read(pem(*chain("ec")) + text)


def test_each_part() -> None:
    leaf, lower, middle, root = chain("ec")
    contents = write(Bundle(key("ec", "leaf"), (root, leaf, middle, lower)), Part.PEM)
    parts = {part: CertificatePart(part).apply(contents) for part in Part if part is not Part.PFX}
    assert parts[Part.CERT] == pem(leaf)
    assert parts[Part.CHAIN] == pem(lower, middle, root)
    assert parts[Part.FULLCHAIN] == pem(leaf, lower, middle, root)
    assert parts[Part.CA] == pem(root)
    assert parts[Part.PEM] == parts[Part.KEY] + parts[Part.FULLCHAIN]
    assert CertificatePart(Part.FULLCHAIN, in_order=False).apply(contents) == pem(root, leaf, middle, lower)


@pytest.mark.parametrize("part", [Part.KEY, Part.CHAIN, Part.CA])
def test_no_file_is_empty(part: Part) -> None:
    with pytest.raises(ObjectUnusable, match=f"no part `{part.value}`"):
        CertificatePart(part).apply(pem(chain("ec")[0]))


@pytest.mark.parametrize(
    "contents",
    [b"", b"plain text", b"%%%", b"\x30\x03\x02\x01\x03", base64.b64encode(b"\x30\x03\x02\x01\x03"), b"x" * (1 << 21),
     b"-----BEGIN CERTIFICATE-----\nY2FuYXJ5\n-----END CERTIFICATE-----",
     b"-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----",
     b"-----BEGIN PUBLIC KEY-----\nY2FuYXJ5\n-----END PUBLIC KEY-----"],
)  # fmt: skip
def test_what_is_no_bundle(contents: bytes) -> None:
    with pytest.raises(ObjectUnusable) as caught:
        read(contents)
    assert "Y2FuYXJ5" not in str(caught.value)


DAMAGED = st.builds(
    lambda before, keep, after: before + pem(chain("ec")[0])[:keep] + after,
    st.binary(),
    st.integers(0, 900),
    st.binary(),
)


PACKED = [
    pfx(key("ec", "leaf"), chain("ec")),
    pfx(key("ec", "leaf"), chain("ec"), serialization.BestAvailableEncryption(b"p")),
]


@st.composite
def damaged_pfx(draw: st.DrawFn) -> bytes:
    text = bytearray(draw(st.sampled_from(PACKED)))
    for _ in range(draw(st.integers(0, 3))):
        text[draw(st.integers(0, len(text) - 1))] = draw(st.integers(0, 255))
    return bytes(text[: draw(st.integers(1, len(text)) | st.just(len(text)))])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | DAMAGED | damaged_pfx())
def test_any_bytes_are_a_bundle_or_refused(contents: bytes) -> None:
    for password in (None, b"p"):
        with contextlib.suppress(ObjectUnusable):
            read(contents, password=password)


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_reads_what_we_write_and_we_read_what_it_writes(kind: str, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")

    def openssl(*arguments: str) -> bytes:
        return subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=tmp_path, timeout=30).stdout

    bundle = Bundle(key(kind, "leaf"), chain(kind))
    (tmp_path / "all.pem").write_bytes(write(bundle, Part.PEM))
    (tmp_path / "all.pfx").write_bytes(write(bundle, Part.PFX))
    public = openssl("pkey", "-in", "all.pem", "-pubout")
    assert openssl("x509", "-in", "all.pem", "-noout", "-pubkey") == public
    shown = openssl("pkcs12", "-in", "all.pfx", "-nodes", "-passin", "pass:")
    assert shown.count(b"BEGIN CERTIFICATE") == 4
    assert b"PRIVATE KEY" in shown
    usage = subprocess.run(["openssl", "pkcs12", "-help"], capture_output=True, check=False).stderr
    for old in ([], ["-legacy"] if b"-legacy" in usage else []):
        openssl("pkcs12", "-export", "-in", "all.pem", "-out", "theirs.pfx", "-passout", "pass:", *old)
        assert read((tmp_path / "theirs.pfx").read_bytes()).certificates == bundle.certificates
