"""The Azure Key Vault provider: secrets, keys and certificates."""
