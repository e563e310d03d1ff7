"""Generated documents: what the code says of itself, as pages and as machine-readable contracts."""
