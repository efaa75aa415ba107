"""Cloud Audit Logs: their entries, what they say of an access, and what they arrive in."""
