"""The releasing side: versions, publishing, restoring, tracing. It knows no dataset by name."""
