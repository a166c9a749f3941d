"""Message search: the index, the reader of the change feed that writes it, and its page and API.

`grams.py` cuts texts into grams, and `keys.py` hashes them. `index.py` writes the hashes to the database,
where `storage.py` finds the messages that have all grams of a query. They are candidates: `queries.py`
compares each with the present text of the message and checks the permission to read it.
"""
