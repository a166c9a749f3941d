"""ChatError, the exception for all expected errors, and the table of its codes.

Code that rejects something raises ChatError("code"). Each interface (socket, REST, form, admin,
command) catches it in one place and responds in its own format. Sockets send `code`, `detail` and
`retry`; REST adds the HTTP status of the table; forms show `detail`.

Messages are translated when they are rendered, into the recipient's language: that of the page, the
request's Accept-Language or the socket (consumer.py). Text for developers and administrators is not
translated: codes and field names, `bad_frame`, `upgrade_required`, errors before a request has a language
(admission.py), probes and metrics (health.py), and the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import InterfaceError, OperationalError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Sentence = str | Promise  # a lazy one is translated when it is rendered

DATABASE_ERRORS = (
    OperationalError,
    InterfaceError,
)  # no connection, a lost one, or a temporary failure: trying again can help


@dataclass(frozen=True, slots=True)
class Code:
    """`detail` is the default message. `retry`: whether trying again can help."""

    status: int
    detail: Sentence
    retry: bool = False


CODES: dict[str, Code] = {
    # Invalid input
    "bad_frame": Code(400, "The frame couldn’t be read."),
    "invalid": Code(400, _("Some fields are invalid.")),
    "empty": Code(400, _("Write a message first.")),
    "too_long": Code(400, _("That’s too long.")),
    "bad_text": Code(400, _("The text contains characters that can’t be stored.")),
    # Authentication
    "unauthenticated": Code(401, _("Sign in to continue.")),
    "wrong_credentials": Code(401, _("Wrong email address or password.")),
    "token_invalid": Code(401, _("This token is invalid or has expired. Sign in again.")),
    "account_closed": Code(403, _("This account has been deactivated.")),
    "sign_up_closed": Code(403, _("Sign-up is closed.")),
    "address_unconfirmed": Code(
        403, _("Confirm your email address first: open the link in the email we’ve sent you.")
    ),
    "approval_pending": Code(403, _("Your account is waiting for approval by an administrator.")),
    "sign_up_rejected": Code(403, _("An administrator has declined your request to join.")),
    "foreign_origin": Code(403, _("Requests from this site aren’t allowed.")),
    "csrf": Code(403, _("This form has expired. Reload the page and try again.")),
    # Permissions and conflicts. Missing and forbidden look the same on purpose: see access.py.
    "not_found": Code(404, _("This doesn’t exist, or you don’t have access to it.")),
    "not_allowed": Code(403, _("You don’t have permission to do that.")),
    "removed": Code(
        403,
        _(
            "You were removed from this conversation. An owner or admin has to allow "
            "you to join again."
        ),
    ),
    "reason_required": Code(403, _("Give a reason before you view this conversation.")),
    "archived": Code(409, _("This conversation is archived and can’t be changed.")),
    "deleted": Code(409, _("This message was deleted.")),
    "edit_conflict": Code(409, _("This message was edited elsewhere while you were editing it.")),
    "direct_fixed": Code(409, _("You can’t do that in a direct message.")),
    "last_owner": Code(409, _("A conversation needs an owner. Make someone else an owner first.")),
    "already_member": Code(409, _("This person is already a member.")),
    "invitation_expired": Code(410, _("This invitation has expired.")),
    "invitation_used": Code(410, _("This invitation has already been used.")),
    "invitation_ended": Code(410, _("This invitation is no longer valid.")),
    "key_reused": Code(409, _("This key was already used for a different message.")),
    "too_many": Code(409, _("You’ve reached the limit.")),
    "precondition_failed": Code(
        412, _("This has been changed since you loaded it. Load it again.")
    ),
    "method_not_allowed": Code(405, _("Method not allowed.")),
    "not_acceptable": Code(406, _("Accept JSON.")),
    "unsupported_media": Code(415, _("Send JSON.")),
    "upgrade_required": Code(426, "Open a WebSocket at this address."),
    "too_big": Code(413, _("That’s too big.")),
    # Files
    "bad_file": Code(400, _("Chatty can’t read this file.")),
    "wrong_offset": Code(409, _("The upload continues at a different place.")),
    "upload_gone": Code(409, _("A file of this message is no longer there. Attach it again.")),
    "quota_reached": Code(
        409,
        _("Your files use all the storage you have. Delete messages with files you don’t need."),
    ),
    "storage_full": Code(507, _("There’s no space left for files. Tell your administrator.")),
    # Temporary
    "slow_down": Code(429, _("You’re doing that too often. Try again in a moment."), retry=True),
    "slow_mode": Code(429, _("Slow mode is on. Wait a moment before you post again."), retry=True),
    "busy": Code(503, _("Chatty is busy. Try again in a moment."), retry=True),
    "unavailable": Code(
        503, _("Chatty is temporarily unavailable. Try again in a moment."), retry=True
    ),
    "server_error": Code(500, _("Something went wrong. The error was logged."), retry=True),
}


class ChatError(Exception):
    """An expected error with a code from CODES and a message for people.

    `fields` maps field names to lists of messages (forms, REST). `retry_after` is in seconds, or None
    if waiting does not help. Never include error messages from the database or from Python
    exceptions: clients see them.
    """

    def __init__(
        self,
        code: str,
        detail: Sentence | None = None,
        *,
        fields: Mapping[str, Sequence[Sentence]] | None = None,
        retry_after: float | None = None,
    ) -> None:
        entry = CODES[code]
        super().__init__(code)
        self.code = code
        self.status = entry.status
        self.retry = entry.retry
        self.retry_after = retry_after
        self._detail = detail or entry.detail
        self._fields = fields or {}

    @property
    def detail(self) -> str:
        return str(self._detail)

    @property
    def fields(self) -> dict[str, list[str]]:
        return {name: [str(each) for each in text] for name, text in self._fields.items()}

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    def as_dict(self) -> dict[str, Any]:
        """Return the body of a REST response: {"code", "detail", "fields", "retry"[, "retry_after"]}."""
        answer: dict[str, Any] = {
            "code": self.code,
            "detail": self.detail,
            "fields": self.fields,
            "retry": self.retry,
        }
        if self.retry_after is not None:
            answer["retry_after"] = round(self.retry_after, 3)
        return answer
