"""Names that both clouds write into their logs: AWS ARNs, Google principals, GitHub subjects, patterns."""
