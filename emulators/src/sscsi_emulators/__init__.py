"""Local backends for the demo, the tests and the bench; never part of an image."""
