"""The policy: a caller book, and what is required of the accesses that it names."""
