"""What a provider's author tests with."""
