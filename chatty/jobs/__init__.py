"""Work that is done after a commit, at least once, whatever crashes: jobs and deliveries.

A row in the database says what is to be done. `claims.py` is the mechanism that these rows share with the
cursors of the change feed (`conversations/changefeed/`): a process claims a row for a limited time, does
the work, and removes or releases the row. If the process dies, the claim runs out and another one starts
over. Work that keeps failing is set aside and waits for an administrator.
"""
