"""How large a number may be that comes from outside."""

# JavaScript's numbers are exact up to here. Ids, places and versions stay below for ever, so a larger
# one belongs to nothing; far larger ones are an error in every database.
NUMBER_MAX = 2**53 - 1
