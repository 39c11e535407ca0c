"""`make fire`: the software under faults, for long, and attacked; what it withstood becomes docs/fire.md."""
