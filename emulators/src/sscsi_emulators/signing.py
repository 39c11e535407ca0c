"""Service account tokens with real signatures: Kubernetes' claims, RS256, a key set that anybody may fetch."""

import base64
import hashlib
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sscsi_emulators.tokens import TokenExpired, TokenInvalid


class TokenSigner:
    """Makes and checks tokens.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        spki = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._key_id = base64.urlsafe_b64encode(hashlib.sha256(spki).digest()).rstrip(b"=").decode()
        self.issuer = "https://kubernetes.default.svc"

    def sign(
        self,
        namespace: str,
        service_account: Mapping[str, str],
        audiences: Sequence[str],
        *,
        seconds: int,
        bound: Mapping[str, Mapping[str, str]],
    ) -> str:
        """A token.

        Args:
            namespace: of the service account.
            service_account: its name and uid.
            audiences: as asked for.
            seconds: how long it lasts.
            bound: the object that it is bound to: {"pod": {"name": ..., "uid": ...}}; may be empty.
        """
        issued = int(self._now())
        kubernetes: dict[str, Any] = {"namespace": namespace, **bound, "serviceaccount": dict(service_account)}
        if "pod" in bound and seconds == 3607:
            kubernetes["warnafter"] = issued + 3600
        claims = {
            "aud": list(audiences),
            "exp": issued + seconds,
            "iat": issued,
            "iss": self.issuer,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": kubernetes,
            "nbf": issued,
            "sub": f"system:serviceaccount:{namespace}:{service_account['name']}",
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id, "typ": ""})

    def verify(self, token: str, audience: str | None) -> dict[str, Any]:
        """The claims of a token of ours.

        Args:
            token: the JWT.
            audience: that it must be for; None = any.

        Raises:
            TokenExpired: its time is over.
            TokenInvalid: it is not ours, or for somebody else.
        """
        options: Any = {
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
            "verify_aud": audience is not None,
        }
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["RS256"],
                audience=audience,
                issuer=self.issuer,
                options=options,
            )
        except jwt.InvalidAudienceError as error:
            raise TokenInvalid("Incorrect token audience") from error
        except jwt.InvalidTokenError as error:
            raise TokenInvalid("Couldn't retrieve verification key from your identity provider") from error
        if claims["exp"] <= self._now():
            raise TokenExpired("Token expired")
        return claims

    def key_set(self) -> dict[str, Any]:
        """The public key as a JWK Set (RFC 7517)."""
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key()))
        return {
            "keys": [{"use": "sig", "kty": "RSA", "kid": self._key_id, "alg": "RS256", "n": key["n"], "e": key["e"]}]
        }
