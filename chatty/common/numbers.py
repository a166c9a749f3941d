"""The largest integer accepted from clients."""

# JavaScript's numbers are exact up to here. Ids, sequence numbers and versions never exceed it, so a
# larger number cannot exist; much larger ones raise errors in databases.
NUMBER_MAX = 2**53 - 1
