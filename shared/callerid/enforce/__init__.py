"""The caller book as the clouds' own policies: what makes them refuse what callerid would flag.

``aws`` and ``gcp`` plan, each for its cloud, one piece for each role, provider and account; ``commands`` and
``terraform`` write the pieces down. What a cloud cannot express, or what would break, is a warning beside the piece:
``warn``.
"""
