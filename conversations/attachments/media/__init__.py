"""What a file is, found from its bytes, and pictures without anything but pixels. No database, no requests.

`detection.py` knows the formats; `containers.py` walks through the parts of picture files; `pictures.py`
decodes; `clips.py` measures sound and films.
"""
