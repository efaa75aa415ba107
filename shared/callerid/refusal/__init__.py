"""What the cloud itself needs to refuse an access: its own policies, with what the caller book allows in them."""
