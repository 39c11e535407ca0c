"""`make bench`: what a daemon costs before it does anything, and what a mount costs the backend."""
