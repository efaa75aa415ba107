"""Whether the monitor can see: what both clouds are set to, what the ledger heard, and a canary sent through."""
