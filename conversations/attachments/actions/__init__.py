"""Uploading, completing, removing: everything that writes files and their rows."""
