"""What a file is, found from its bytes, and pictures without anything but pixels. No database, no requests.

`detection.py` knows the formats; `containers.py` walks through the parts of picture files, and
`orientation.py` reads how a camera was held; `pictures.py` uses both, and has `limited.py` run `decoder.py`
for thumbnails; `clips.py` measures audio and videos. `recordings.py` and `heic.py` leave metadata out of what
is stored as it is.
"""
