"""CloudTrail: its records, what they say of an access, and what they arrive in."""
