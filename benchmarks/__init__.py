"""Measures the cost of Chatty on real servers. See README.md here, or run `make bench`."""
