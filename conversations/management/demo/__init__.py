"""A believable team and a month of its talk, for looking around and for pictures.

`talk/` holds what is said, one conversation a file; `script.py` reads it; `stage.py` has it said
through the same actions as everything else.
"""
