"""The clouds' own policies held against the caller book: who could come and is not listed, who is listed and could not.

``condition`` and ``trust`` evaluate a role's trust policy, ``strangers`` and ``listed`` make the ``visitors`` who are
put to it, ``roles`` compares; ``pools``, ``tokens`` and ``providers`` do so for Google. ``aws`` and ``gcp`` read the
clouds, and read only.
"""
