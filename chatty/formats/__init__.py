"""How Django shows dates that have no format of their own, as in the admin site: in ISO 8601.

Pages for everyone give their formats to the date filter.
"""
