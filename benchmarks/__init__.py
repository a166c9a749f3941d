"""What Chatty costs, measured on real servers. See README.md here, or `make bench`."""
