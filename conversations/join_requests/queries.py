"""Reading links and requests."""

from __future__ import annotations

from django.db.models import Case, QuerySet, When

from accounts.models import User
from chatty.common.link_tokens import hash_token
from conversations import access, permissions
from conversations.join_requests.links import TOKEN_MAX
from conversations.join_requests.models import JoinLink, JoinRequest
from conversations.models import Membership

WAITING_MAX = 500  # requests that can wait for one group
_OWN_MAX = 100
# Of those that were declined, there can be any number.
_BY_STATE = Case(
    When(state=JoinRequest.State.WAITING, then=0),
    When(state=JoinRequest.State.BLOCKED, then=1),
    default=2,
)


def link_by_token(token: str) -> JoinLink | None:
    """Return the link with this token and its group, unless that is deleted. `token` can be any text."""
    if len(token) > TOKEN_MAX:
        return None
    links = JoinLink.objects.select_related("conversation")
    return links.filter(token_hash=hash_token(token), conversation__deleted_at__isnull=True).first()


def link_of(user: User, conversation_id: int) -> JoinLink | None:
    """Return the link of a group that the user is a member of. Raises ChatError("not_found")."""
    membership = access.member_of(user, conversation_id)
    return JoinLink.objects.filter(conversation=membership.conversation).first()


def requests_of(conversation_id: int) -> list[JoinRequest]:
    """Return the requests to decide on, the oldest first, then those that were blocked or declined."""
    rows = _of_active_people(conversation_id).select_related("user")
    return list(rows.order_by(_BY_STATE, "pk")[:WAITING_MAX])


def waiting_number(conversation_id: int) -> int:
    return _of_active_people(conversation_id).filter(state=JoinRequest.State.WAITING).count()


def _of_active_people(conversation_id: int) -> QuerySet[JoinRequest]:
    return JoinRequest.objects.filter(conversation=conversation_id, user__is_active=True)


def request_by(user: User, conversation_id: int) -> JoinRequest | None:
    return JoinRequest.objects.filter(user=user, conversation=conversation_id).first()


def own_requests(user: User) -> list[JoinRequest]:
    """Return the requests of this user that are waiting or were declined, the latest first."""
    rows = JoinRequest.objects.filter(user=user, conversation__deleted_at__isnull=True)
    rows = rows.select_related("conversation")
    return list(rows.order_by("-created_at", "-pk")[:_OWN_MAX])


def manager_ids(conversation_id: int) -> list[int]:
    managers = Membership.objects.filter(conversation=conversation_id, role__in=permissions.ADMINS)
    return list(managers.values_list("user_id", flat=True))
