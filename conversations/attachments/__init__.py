"""Files: uploads in pieces, the files of messages, their thumbnails, and serving them to members.

A file is uploaded first (`actions/uploading.py`) and sent after: a message names uploads, and `part.py` makes
them the message's own in its transaction. `media/` finds out from the bytes what a file is, and cleans
pictures. `storage.py` keeps the bytes. `web/serving.py` serves them, and checks the membership each time.
"""
