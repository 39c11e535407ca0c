"""The provider contract on the wire."""
