"""The Lambda's entry points."""
