"""The Google Cloud provider: Secret Manager and Parameter Manager."""
