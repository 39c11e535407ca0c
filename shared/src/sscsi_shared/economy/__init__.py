"""Asking once: what one mount has learnt serves the next one of the same identity, and nobody else."""
