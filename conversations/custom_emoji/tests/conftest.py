"""Pictures, and emoji of the cast."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from accounts.models import User
from conversations.custom_emoji import actions, queries
from conversations.custom_emoji.models import CustomEmoji
from conversations.tests.conftest import api_of, group, open_group, pair, published, recorder
from conversations.tests.helpers import new_key

__all__ = ["api_of", "group", "open_group", "pair", "published", "recorder"]

Add = Callable[..., CustomEmoji]


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 20), colour: str = "red") -> bytes:
    file = BytesIO()
    Image.new("RGB", size, colour).save(file, kind)
    return file.getvalue()


def animation(frames: int = 3, kind: str = "GIF", side: int = 30) -> bytes:
    file = BytesIO()
    images = [Image.new("RGB", (side, side), (40 * n % 256, n % 256, 90)) for n in range(frames)]
    options: dict[str, Any] = {"save_all": True, "append_images": images[1:], "duration": 60}
    images[0].save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def add() -> Add:
    """add(user, name, data) adds an emoji, which is known at once."""

    def create(user: User, name: str = "blobcat", data: bytes = b"") -> CustomEmoji:
        emoji, _is_new = actions.add(
            user, key=new_key(), name=name, picture=data or picture(colour="green")
        )
        queries.forget()
        return emoji

    return create
