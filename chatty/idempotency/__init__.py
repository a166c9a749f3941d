"""Idempotency keys: a request that is sent again with its key creates nothing again."""
