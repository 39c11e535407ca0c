"""openssl is the referee: it accepts every file that the Azure provider makes of a certificate, in every form."""

import base64
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from azure_world import World, azure_world, entry
from pki import KINDS, NAMES, chain, key, pem, pkcs8
from sscsi_emulators.azure_store import PEM, PFX
from sscsi_provider_azure.parameters import Operator
from sscsi_shared.manifests import parse_manifests

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "azure" / "with-certificates.yaml"
PASSWORD = "p w\u00e9!"
CIPHERS = {
    "today's": (),
    "none": ("-keypbe", "NONE", "-certpbe", "NONE", "-nomaciter"),
    "3DES, SHA-1": ("-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"),
    "RC2 of 40 bits": ("-legacy",),
    "AES-128, SHA-512": ("-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC", "-macalg", "sha512"),
}
FORMS = ("pem", "pfx", "cert", "chain", "fullchain", "key", "ca")


@pytest.fixture
def world() -> Iterator[World]:
    with azure_world() as world:
        yield world


class OpenSsl:
    """The command, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        self.folder = folder
        self.has_legacy = b"-legacy" in self._run("pkcs12", "-help").stderr

    def __call__(self, *arguments: str) -> bytes:
        found = self._run(*arguments)
        assert found.returncode == 0, f"openssl {' '.join(arguments)}: {found.stderr.decode()}"
        return found.stdout

    def packed(self, kind: str, cipher: str, password: str) -> str:
        """PKCS#12 as the command makes it, in base64."""
        if "-legacy" in CIPHERS[cipher] and not self.has_legacy:
            pytest.skip("this openssl has no -legacy")
        (self.folder / "in.pem").write_bytes(pkcs8(key(kind, "leaf")) + pem(*chain(kind)))
        self("pkcs12", "-export", "-in", "in.pem", "-out", "in.pfx", "-passout", f"pass:{password}", *CIPHERS[cipher])
        return base64.b64encode((self.folder / "in.pfx").read_bytes()).decode()

    def write(self, files: dict[str, bytes]) -> None:
        for name, contents in files.items():
            (self.folder / name).write_bytes(contents)

    def certificates(self, name: str) -> list[x509.Certificate]:
        """As the command finds them in a file of PEM."""
        self("crl2pkcs7", "-nocrl", "-certfile", name, "-out", "all.p7b")
        return x509.load_pem_x509_certificates(self("pkcs7", "-in", "all.p7b", "-print_certs"))

    def public(self, name: str) -> bytes:
        """Of the private key in a file."""
        self("pkey", "-in", name, "-noout", "-check")
        return self("pkey", "-in", name, "-pubout")

    def _run(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        command = ["openssl", *arguments]
        return subprocess.run(command, check=False, capture_output=True, cwd=self.folder, timeout=30)


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSsl:
    return OpenSsl(tmp_path)


def judge(openssl: OpenSsl, files: dict[str, bytes], kind: str, password: str = "") -> None:
    """Each form of the secret, under its name, is accepted for what it should be."""
    openssl.write(files)
    leaf, lower, middle, root = chain(kind)
    public = openssl.public("key")
    assert public == openssl("x509", "-in", "cert", "-noout", "-pubkey")
    assert public == openssl.public("pem")
    held = {name: openssl.certificates(name) for name in ("pem", "cert", "chain", "fullchain", "ca")}
    whole = [leaf, lower, middle, root]
    assert held == {"pem": whole, "cert": [leaf], "chain": [lower, middle, root], "fullchain": whole, "ca": [root]}
    openssl("verify", "-no_check_time", "-CAfile", "ca", "-untrusted", "chain", "cert")
    old = ("-legacy",) if openssl.has_legacy else ()
    shown = openssl("pkcs12", "-in", "pfx", "-nodes", "-passin", f"pass:{password}", *old)
    (openssl.folder / "of-pfx").write_bytes(shown)
    assert openssl.public("of-pfx") == public
    assert set(x509.load_pem_x509_certificates(shown)) == {leaf, lower, middle, root}


def forms(name: str, **fields: str) -> list[str]:
    wanted = {form: {"objectFormat": form, "objectAlias": form} for form in FORMS}
    wanted["pfx"]["objectEncoding"] = "base64"
    return [entry(name, **(wanted[form] | fields)) for form in FORMS]


def keep(world: World, value: str, content_type: str) -> None:
    """A certificate's secret: a vault makes no keys of Ed25519, but the provider can do with one."""
    world.azure.store.put_secret(world.vault, "c", value, content_type, kid="of its certificate")


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("kind", KINDS)
def test_pkcs12_in_every_form(world: World, openssl: OpenSsl, kind: str, cipher: str) -> None:
    keep(world, openssl.packed(kind, cipher, ""), PFX)
    judge(openssl, world.files(*forms("c")), kind)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_pkcs12_with_a_password_in_every_form(world: World, openssl: OpenSsl, cipher: str) -> None:
    world.azure.store.put_secret(world.vault, "c", openssl.packed("rsa", cipher, PASSWORD), PFX)
    world.azure.store.put_secret(world.vault, "password", PASSWORD)
    judge(openssl, world.files(*forms("c", pfxPasswordSecretName="password")), "rsa", PASSWORD)


@pytest.mark.parametrize("order", ["leaf first", "root first"])
@pytest.mark.parametrize("kind", KINDS)
def test_pem_in_every_form(world: World, openssl: OpenSsl, kind: str, order: str) -> None:
    certificates = chain(kind) if order == "leaf first" else tuple(reversed(chain(kind)))
    keep(world, (pkcs8(key(kind, "leaf")) + pem(*certificates)).decode(), PEM)
    files = world.files(*forms("c"))
    if order == "root first":
        openssl.write({"given": files.pop("pem")})
        assert openssl.certificates("given") == list(certificates), "the whole stays as it was given"
        files["pem"] = files["key"] + files["fullchain"]
    judge(openssl, files, kind)


@pytest.mark.parametrize("form", [serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8])
@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_keys_in_older_forms(world: World, openssl: OpenSsl, kind: str, form: serialization.PrivateFormat) -> None:
    private = key(kind, "leaf").private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    keep(world, (private + pem(*chain(kind))).decode(), PEM)
    files = world.files(*forms("c"))
    assert files["key"].startswith(b"-----BEGIN PRIVATE KEY-----\n")
    judge(openssl, files, kind)


@pytest.mark.parametrize("content_type", [PFX, PEM])
@pytest.mark.parametrize("kind", KINDS)
def test_files_of_their_own(world: World, openssl: OpenSsl, kind: str, content_type: str) -> None:
    world.with_provider(operator=Operator(separate_files=True))
    text = (pkcs8(key(kind, "leaf")) + pem(*chain(kind))).decode()
    keep(world, openssl.packed(kind, "today's", "") if content_type == PFX else text, content_type)
    openssl.write(world.files(entry("c")))
    assert openssl.certificates("c.crt") == openssl.certificates("c") == list(chain(kind))
    assert openssl.public("c.key") == openssl.public("c") == openssl("x509", "-in", "c.crt", "-noout", "-pubkey")


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_certificate_as_certificate_and_as_key(world: World, openssl: OpenSsl, kind: str) -> None:
    world.azure.store.put_certificate(world.vault, "c", key(kind, "leaf"), chain(kind))
    openssl.write(world.files(entry("c", "cert", objectAlias="cert"), entry("c", "key", objectAlias="key")))
    assert openssl.certificates("cert") == [chain(kind)[0]]
    public = openssl("pkey", "-pubin", "-in", "key", "-pubout")
    assert public == openssl("x509", "-in", "cert", "-noout", "-pubkey")


def test_the_examples_class(world: World, openssl: OpenSsl) -> None:
    (manifest,) = parse_manifests(EXAMPLE.read_text(), EXAMPLE.name)
    parameters: dict[str, Any] = manifest.body["spec"]["parameters"]
    vault, store = parameters["keyvaultName"], world.azure.store
    store.put_certificate(vault, "web", key("rsa", "leaf"), chain("rsa", ("root", "leaf")), PFX)
    store.put_certificate(vault, "web", key("rsa", "leaf"), chain("rsa"), PFX)
    store.put_key(vault, "signing", key("ec", "leaf"))
    for number in range(3):
        store.put_secret(vault, "database", f"v{number}", created=1_000_000 + number)
    store.vault("shared-secrets")
    result = world.mount(**parameters)
    files = {file.path: file.contents.reveal() for file in result.files}
    assert list(files) == [
        "tls.pem", "tls.crt", "tls.key", "keystore.pfx", "public.pem", "signing.pub", "database/0", "database/1"
    ]  # fmt: skip
    assert [file.path for file in result.files if file.mode == 0o400] == ["tls.key"]
    assert (files["database/0"], files["database/1"]) == (b"v2", b"v1")
    openssl.write({name: contents for name, contents in files.items() if "/" not in name})
    assert openssl.certificates("tls.crt") == openssl.certificates("tls.pem") == list(chain("rsa", NAMES))
    assert openssl.public("tls.key") == openssl.public("tls.pem")
    assert openssl.certificates("public.pem") == [chain("rsa")[0]]
    assert openssl("pkcs12", "-in", "keystore.pfx", "-nodes", "-passin", "pass:").count(b"BEGIN CERTIFICATE") == 4
    assert openssl("pkey", "-pubin", "-in", "signing.pub", "-pubout") == files["signing.pub"]
    store.put_secret("shared-secrets", "password", "x")
    assert world.files(**parameters)["shared/password"] == b"x", "optional, and there now"
