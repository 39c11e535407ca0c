"""What Azure's emulator holds: vaults by host name; in each secrets, keys and certificates with their versions."""

import base64
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, TypedDict, Unpack

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

TENANT: Final = "5d3ee3f5-0a3b-4f8d-9d43-2f6f0f3f1d11"
SUFFIX: Final = "vault.azure.net"
PFX: Final = "application/x-pkcs12"
PEM: Final = "application/x-pem-file"
PAGE: Final = 25
Kind: TypeAlias = Literal["secret", "key", "certificate"]
PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
AnyKey: TypeAlias = PrivateKey | rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Mapping[str, Any]
_CURVES: Final = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "P-256K"}
_RECOVERY: Final = {"recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90}
_LINK: Final = "https://go.microsoft.com/fwlink/?linkid=2125182"


class Marks(TypedDict, total=False):
    """What a version has beside its contents: times in seconds since 1970, `created` = now; 32 hex digits as its id."""

    version: str
    enabled: bool
    created: float
    not_before: float
    expires: float
    tags: Mapping[str, str]


class KeyVaultError(Exception):
    """There is nothing to give.

    Attributes:
        status: of HTTP.
        code: the error's, such as `SecretNotFound`.
        inner: the code within, such as `SecretDisabled`; "" = none.
    """

    def __init__(self, status: int, code: str, text: str, inner: str = "") -> None:
        super().__init__(text)
        self.status: Final = status
        self.code: Final = code
        self.inner: Final = inner


@dataclass(slots=True)
class _Version:
    name: str
    fields: Mapping[str, Any]
    attributes: dict[str, Any]
    tags: Mapping[str, str]
    managed: bool = False


@dataclass(slots=True)
class Vault:
    """A vault.

    Attributes:
        host: its name in DNS, without a port.
        tenant: whose tokens it takes.
        walled: its firewall lets nobody in.
    """

    host: str
    tenant: str
    walled: bool = False
    held: dict[Kind, dict[str, dict[str, _Version]]] = field(
        default_factory=lambda: {"secret": {}, "key": {}, "certificate": {}}
    )

    @property
    def name(self) -> str:
        """Its own, without that of the cloud."""
        return self.host.partition(".")[0]


class AzureStore:
    """Vaults. One is named by its host, or alone, which means `<name>.vault.azure.net`; putting something in makes it.

    Names are the same in capitals and small letters, as in Key Vault; ids have them as they were first written.

    Attributes:
        page_size: how much a page of a list holds at most.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.page_size = PAGE
        self._now = now
        self._lock = threading.RLock()
        self._vaults: dict[str, Vault] = {}

    def vault(self, name: str, tenant: str | None = None) -> Vault:
        """A vault, made if there is none, of a tenant."""
        host = (name if "." in name else f"{name}.{SUFFIX}").lower().partition(":")[0]
        with self._lock:
            vault = self._vaults.setdefault(host, Vault(host, tenant or TENANT))
            vault.tenant = tenant or vault.tenant
            return vault

    def find(self, host: str) -> Vault | None:
        """The vault of a host name, with or without a port."""
        return self._vaults.get(host.lower().partition(":")[0])

    def put_secret(
        self,
        vault: str,
        name: str,
        value: str,
        content_type: str | None = None,
        *,
        kid: str | None = None,
        **marks: Unpack[Marks],
    ) -> str:
        """Give a secret a new version, whose id is answered.

        Args:
            vault: its vault's name.
            name: its own.
            value: as text.
            content_type: anything.
            kid: the id of a key, of a secret that belongs to a certificate.
            marks: of the version.
        """
        return self._put(vault, "secret", name, _present(value=value, contentType=content_type, kid=kid), marks)

    def put_key(self, vault: str, name: str, key: AnyKey, *, hsm: bool = False, **marks: Unpack[Marks]) -> str:
        """Give a key a new version, whose id is answered: a key, or its JWK as it is; `hsm` makes RSA RSA-HSM."""
        return self._put(vault, "key", name, {"key": _jwk(key, hsm)}, marks)

    def put_certificate(
        self,
        vault: str,
        name: str,
        key: PrivateKey,
        chain: Sequence[x509.Certificate],
        content_type: str = PFX,
        **marks: Unpack[Marks],
    ) -> str:
        """Give a certificate a new version, whose id is answered; the secret and the key with it, as Key Vault does.

        Args:
            vault: its vault's name.
            name: of all three.
            key: of the first of the chain.
            chain: kept in this order.
            content_type: of the secret, PFX or PEM.
            marks: of the version.
        """
        leaf = chain[0]
        if content_type == PFX:
            packed = pkcs12.serialize_key_and_certificates(None, key, leaf, chain[1:], forms.NoEncryption())
            value = base64.b64encode(packed).decode()
        else:
            form = (forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption())
            value = (
                key.private_bytes(*form) + b"".join(one.public_bytes(forms.Encoding.PEM) for one in chain)
            ).decode()
        public = _jwk(key, False)
        policy = {
            "key_props": {"exportable": True, "kty": public["kty"], "reuse_key": False},
            "secret_props": {"contentType": content_type},
            "x509_props": {"subject": leaf.subject.rfc4514_string(), "validity_months": 12},
            "issuer": {"name": "Unknown"},
        }
        certificate = {
            "x5t": _base64url(leaf.fingerprint(hashes.SHA1())),  # noqa: S303  # what the field holds
            "cer": base64.b64encode(leaf.public_bytes(forms.Encoding.DER)).decode(),
            "policy": policy,
        }
        with self._lock:
            version = self._put(vault, "certificate", name, certificate, marks, managed=True)
            marks["version"] = version
            self._put(vault, "secret", name, {"value": value, "contentType": content_type}, marks, managed=True)
            return self._put(vault, "key", name, {"key": public}, marks, managed=True)

    def disable(self, vault: str, kind: Kind, name: str, version: str | None = None) -> None:
        """Disable a version, or the newest; of a certificate its secret and key too."""
        with self._lock:
            versions = self.vault(vault).held[kind][name.lower()]
            version = version or list(versions)[-1]
            versions[version].attributes["enabled"] = False
            if kind == "certificate":
                self.disable(vault, "secret", name, version)
                self.disable(vault, "key", name, version)

    def remove(self, vault: str, kind: Kind, name: str) -> None:
        """Forget it with all its versions."""
        with self._lock:
            self.vault(vault).held[kind].pop(name.lower(), None)

    def read(self, vault: Vault, base: str, kind: Kind, name: str, version: str) -> Mapping[str, Any]:
        """A version's bundle.

        Args:
            vault: where it is.
            base: that ids begin with, such as `https://kv.vault.azure.net`.
            kind: of object.
            name: its name.
            version: its version; "" = the newest.

        Raises:
            KeyVaultError: there is none, or it is disabled.
        """
        with self._lock:
            versions = vault.held[kind].get(name.lower(), {})
            wanted = version or next(reversed(versions), "")
            found = versions.get(wanted)
            if found is None:
                full = f"{name}/{version}" if version else name
                text = (
                    f"A {kind} with (name/id) {full} was not found in this key vault. If you recently deleted this "
                    f"{kind} you may be able to recover it using the correct recovery command. For help resolving "
                    f"this issue, please see {_LINK}"
                )
                raise KeyVaultError(404, f"{kind.capitalize()}NotFound", text)
            if kind == "secret" and not found.attributes["enabled"]:
                text = "Operation get is not allowed on a disabled secret."
                raise KeyVaultError(403, "Forbidden", text, "SecretDisabled")
            return _bundle(base, kind, wanted, found)

    def page(self, vault: Vault, base: str, kind: Kind, name: str, start: str, size: int) -> tuple[list[Any], str]:
        """What there is, or with a name its versions, in the order of their ids; and where the next page starts."""
        with self._lock:
            if name:
                found = [
                    _summary(base, kind, f"{one.name}/{version}", one)
                    for version, one in sorted(vault.held[kind].get(name.lower(), {}).items())
                ]
            else:
                newest = [next(reversed(versions.values())) for _, versions in sorted(vault.held[kind].items())]
                found = [_summary(base, kind, one.name, one) for one in newest]
        begin = int(start or 0)
        end = begin + min(size, self.page_size)
        return found[begin:end], str(end) if end < len(found) else ""

    def values(self) -> list[str]:
        """Every secret's every value."""
        with self._lock:
            return [
                str(one.fields["value"])
                for vault in self._vaults.values()
                for versions in vault.held["secret"].values()
                for one in versions.values()
            ]

    def _put(
        self, vault: str, kind: Kind, name: str, fields: Mapping[str, Any], marks: Marks, *, managed: bool = False
    ) -> str:
        made = int(marks.get("created", self._now()))
        attributes = {"enabled": marks.get("enabled", True), "created": made, "updated": made} | _RECOVERY
        for word, seconds in (("nbf", marks.get("not_before")), ("exp", marks.get("expires"))):
            attributes |= {} if seconds is None else {word: int(seconds)}
        version = marks.get("version") or secrets.token_hex(16)
        with self._lock:
            versions = self.vault(vault).held[kind].setdefault(name.lower(), {})
            name = next((one.name for one in versions.values()), name)
            versions[version] = _Version(name, fields, attributes, marks.get("tags", {}), managed)
        return version


def _bundle(base: str, kind: Kind, version: str, one: _Version) -> dict[str, Any]:
    ids = {word: f"{base}/{word}s/{one.name}/{version}" for word in ("secret", "key", "certificate")}
    found = dict(one.fields) | {"attributes": one.attributes, "tags": one.tags}
    if one.managed:
        found["managed"] = True
    if kind == "key":
        return found | {"key": {"kid": ids["key"]} | one.fields["key"]}
    if kind == "certificate":
        del found["managed"]
        policy = {"id": f"{base}/certificates/{one.name}/policy"} | one.fields["policy"]
        return found | {"id": ids[kind], "kid": ids["key"], "sid": ids["secret"], "policy": policy}
    return found | {"id": ids[kind]} | ({"kid": ids["key"]} if one.managed else {})


def _summary(base: str, kind: Kind, path: str, one: _Version) -> dict[str, Any]:
    found: dict[str, Any] = {"kid" if kind == "key" else "id": f"{base}/{kind}s/{path}"}
    found |= {"attributes": one.attributes, "tags": one.tags}
    found |= {key: one.fields[key] for key in ("contentType", "x5t") if key in one.fields}
    return found | ({"managed": True} if one.managed and kind != "certificate" else {})


def _jwk(key: AnyKey, hsm: bool) -> dict[str, Any]:
    """RFC 7517, with the names of Key Vault."""
    if isinstance(key, Mapping):
        return dict(key)
    public = key.public_key() if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) else key
    more = "-HSM" if hsm else ""
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        rights = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]
        return {"kty": f"RSA{more}", "key_ops": rights, "n": _number(numbers.n), "e": _number(numbers.e)}
    point = public.public_numbers()
    size = (public.curve.key_size + 7) // 8
    place = {"x": _number(point.x, size), "y": _number(point.y, size)}
    return {"kty": f"EC{more}", "key_ops": ["sign", "verify"], "crv": _CURVES[public.curve.name]} | place


def _number(value: int, size: int = 0) -> str:
    return _base64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def _base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
