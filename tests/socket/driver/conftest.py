"""The fixtures of one driver on a folder of its own."""

from driver_fixtures import driver, home, provider, rotating, start, target

__all__ = ["driver", "home", "provider", "rotating", "start", "target"]
