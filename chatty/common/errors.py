"""The one family of errors Chatty answers with, and the one table of their codes.

A rule that refuses something raises ChatError("code") wherever it finds out; each entrance
(socket, REST, form, admin, command) catches it once and says it in its own words on the wire.
Sockets send `code`, `detail`, `retry`; REST adds the HTTP status of the table; forms show `detail`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Code:
    """What a code means everywhere: HTTP status, default sentence, whether trying again can help."""

    status: int
    detail: str
    retry: bool = False


CODES: dict[str, Code] = {
    # The words themselves
    "bad_frame": Code(400, "That could not be understood."),
    "invalid": Code(400, "Some of what you sent is not valid."),
    "empty": Code(400, "Please write something first."),
    "too_long": Code(400, "That is too long."),
    "bad_text": Code(400, "The text contains characters that cannot be stored."),
    # Who is asking
    "unauthenticated": Code(401, "Please sign in."),
    "wrong_credentials": Code(401, "That e-mail address and password do not match an account."),
    "token_invalid": Code(401, "This token is not valid or has expired. Please sign in again."),
    "account_closed": Code(403, "This account has been closed."),
    "sign_up_closed": Code(403, "Signing up is not open here."),
    "foreign_origin": Code(403, "This page may not use Chatty."),
    "csrf": Code(403, "This form could not be checked. Reload the page and send it again."),
    # What they may do. Missing and forbidden look alike on purpose: see access.py.
    "not_found": Code(404, "There is no such thing here, or it is not yours to see."),
    "not_allowed": Code(403, "You may not do that here."),
    "archived": Code(409, "This conversation is archived. Nothing can be changed in it."),
    "deleted": Code(409, "This message was deleted."),
    "direct_fixed": Code(409, "A direct conversation cannot be changed like that."),
    "last_owner": Code(409, "A conversation needs an owner. Make somebody else owner first."),
    "already_member": Code(409, "This person is already a member."),
    "key_reused": Code(409, "This key already belongs to a different message."),
    "too_many": Code(409, "There is no room for more of these."),
    "method_not_allowed": Code(405, "That is not done this way."),
    "unsupported_media": Code(415, "Please send JSON."),
    "too_big": Code(413, "That is too big."),
    # Try again
    "slow_down": Code(429, "That was too fast. Please wait a moment.", retry=True),
    "busy": Code(503, "Chatty is busy. Please try again in a moment.", retry=True),
    "unavailable": Code(503, "Chatty could not save that just now. Please try again.", retry=True),
    "server_error": Code(500, "Something went wrong here. It has been noted.", retry=True),
}


class ChatError(Exception):
    """A refusal with a code from CODES and a sentence for people.

    `fields` maps a field's name to a list of sentences (forms, REST); `retry_after` is in seconds,
    None when there is nothing to wait for. Never carries text of the database or of the runtime.
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        fields: dict[str, list[str]] | None = None,
        retry_after: float | None = None,
    ) -> None:
        entry = CODES[code]
        self.code = code
        self.detail = detail or entry.detail
        self.status = entry.status
        self.retry = entry.retry
        self.fields = fields or {}
        self.retry_after = retry_after
        super().__init__(f"{code}: {self.detail}")

    def as_dict(self) -> dict[str, Any]:
        """The body REST answers with: {"code", "detail", "fields", "retry"} (+ "retry_after")."""
        answer: dict[str, Any] = {
            "code": self.code,
            "detail": self.detail,
            "fields": self.fields,
            "retry": self.retry,
        }
        if self.retry_after is not None:
            answer["retry_after"] = round(self.retry_after, 3)
        return answer
