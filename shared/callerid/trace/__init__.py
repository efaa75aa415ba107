"""The chain of a record: back to who began it, forward to what was done with it, on either cloud."""
