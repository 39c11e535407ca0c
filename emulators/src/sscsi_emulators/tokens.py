"""Why a service account's token is not accepted."""


class TokenInvalid(ValueError):
    """Its signature, issuer or audience is wrong."""


class TokenExpired(ValueError):
    """Its time is over."""
