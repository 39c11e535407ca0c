"""Certificates and keys as somebody has stored them: PEM and PKCS#12, for Azure and for Secrets of type TLS."""

import base64
from collections.abc import Callable, Sequence
from typing import Any

import pki
from fire.hostile.target import Target, words
from sscsi_driver import tls
from sscsi_shared import ber
from sscsi_shared.certificates import Part, read, write
from sscsi_shared.errors import MountError

_OIDS = (
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d",  # PBES2
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c",  # PBKDF2
    b"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03",  # 3DES
    b"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x06",  # RC2
    b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x03",
    b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01",
)
_DER_WORDS = (
    b"\x30\x80",
    b"\x24\x80",
    b"\x04\x00",
    b"\x00\x00",
    b"\x30\x84\xff\xff\xff\xff",
    b"\x02\x03\x0f\x42\x40",
    *_OIDS,
)
_PEM_WORDS = (
    *words("CERTIFICATE KEY a / + = Proc-Type: DEK-Info:"),
    b"-----BEGIN CERTIFICATE-----\n",
    b"-----END CERTIFICATE-----\n",
    b"-----BEGIN A-----",
    b"-----BEGIN PRIVATE KEY-----\n",
    b"-----END PRIVATE KEY-----\n",
    b"-----BEGIN RSA PRIVATE KEY-----\n",
    b"-----",
    b"-",
    b"A:\n ",
    b"\n",
)


def _bundle(data: bytes) -> None:
    """The first octet says whether there is a password, whether to put in order, and which part is wanted."""
    how, contents = (data[0], data[1:]) if data else (0, b"")
    found = read(contents, in_order=bool(how & 1), password=b"hunter2" if how & 2 else None)
    for part in Part:
        try:
            write(found, part, b"x" if how & 4 else None)
        except MountError:
            continue


def _value(key: str) -> Callable[[bytes], object]:
    return lambda data: tls.value(key, data)


def _elements(data: bytes) -> None:
    todo = [(ber.element(data), 0)]
    while todo:
        one, depth = todo.pop()
        for use in (one.octets, one.integer, one.oid):
            try:
                use()
            except ber.Malformed:
                continue
        if one.tag & 0x20 and depth < ber.MAX_DEPTH:
            todo += [(inner, depth + 1) for inner in one.items(one.tag)[:100]]


def _made_pem() -> Any:
    from hypothesis import strategies as st

    found = st.sampled_from([*_PEM_WORDS, *_pems()]) | st.binary(max_size=20)
    return st.lists(found, max_size=12).map(b"".join)


def _made_bundle() -> Any:
    from hypothesis import strategies as st

    return st.builds(lambda how, contents: bytes([how]) + contents, st.integers(0, 7), _made_pem())


def _pems() -> list[bytes]:
    made = [pki.pem(one) for kind in ("ec", "ed25519") for one in pki.chain(kind)]
    return made + [pki.pkcs8(pki.key(kind, "leaf")) for kind in pki.KINDS]


def _pfx_files() -> list[bytes]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.serialization.pkcs12 import PBES

    form = serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(50)
    kinds = [
        form.key_cert_algorithm(one).build(b"hunter2")
        for one in (PBES.PBESv1SHA1And3KeyTripleDESCBC, PBES.PBESv2SHA256AndAES256CBC)
    ]
    plain = [pki.pfx(pki.key(kind, "leaf"), pki.chain(kind)) for kind in ("ec", "ed25519")]
    return plain + [pki.pfx(pki.key("ec", "leaf"), pki.chain("ec")[:1], one) for one in kinds]


def targets() -> Sequence[Target]:
    """See the module."""
    ours = (MountError,)
    leaf = pki.pem(pki.chain("ec")[0])
    whole = pki.pkcs8(pki.key("ec", "leaf")) + pki.pem(*pki.chain("ec"))
    files = _pfx_files()
    pfx = [b"\3" + one for one in files] + [b"\1" + base64.encodebytes(files[0])]
    return (
        Target("pem", _bundle, ours, [b"\1" + whole, b"\0" + leaf], _PEM_WORDS, _made_bundle, costly=2),
        Target("pkcs12", _bundle, ours, pfx, _DER_WORDS, seconds=20, costly=4),
        Target("ber", _elements, (ber.Malformed,), files, _DER_WORDS),
        Target("tls.crt", _value("tls.crt"), ours, [whole, files[0]], _PEM_WORDS, _made_pem),
        Target("tls.key", _value("tls.key"), ours, [whole, files[0]], _PEM_WORDS, _made_pem),
    )
