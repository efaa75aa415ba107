"""How reading a cloud ends where it can't be read."""

from __future__ import annotations


class NoAccessError(Exception):
    """Something may not be read, or can't be; the message names the permission, and quotes nothing else."""
