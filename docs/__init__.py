"""Pages that are written from the sources."""
