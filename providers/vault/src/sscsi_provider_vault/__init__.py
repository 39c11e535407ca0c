"""The Vault and OpenBao provider."""
