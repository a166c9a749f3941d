"""What the people of a conversation see about requests to join it."""

from __future__ import annotations

from dataclasses import dataclass

from django import template
from django.http import HttpRequest

from accounts.current_user import current_user
from chatty.common.pages import site_of
from conversations import access
from conversations.join_requests import queries, rules
from conversations.join_requests.links import url_of
from conversations.join_requests.models import JoinLink, JoinRequest
from conversations.models import Conversation

register = template.Library()


@dataclass(frozen=True, slots=True)
class JoinRequests:
    """`url`: to ask with, None if there is none."""

    url: str | None
    can_answer: bool
    waiting: list[JoinRequest]
    blocked: list[JoinRequest]


@register.simple_tag
def join_requests_of(request: HttpRequest, conversation: Conversation) -> JoinRequests:
    """Two places on a page need them: read once and cached on the request."""
    kept: JoinRequests | None = getattr(request, "_join_requests", None)
    if kept is None:
        kept = _read(request, conversation)
        request._join_requests = kept  # type: ignore[attr-defined]
    return kept


def _read(request: HttpRequest, conversation: Conversation) -> JoinRequests:
    user = current_user(request)
    membership = access.member_of(user, conversation.pk)
    link = JoinLink.objects.filter(conversation=conversation).first()
    url = url_of(link, site_of(request))
    if not access.allows(rules.ANSWER.name, membership):
        return JoinRequests(url, can_answer=False, waiting=[], blocked=[])
    found = queries.requests_of(conversation.pk)
    states = JoinRequest.State
    return JoinRequests(
        url,
        can_answer=True,
        waiting=[each for each in found if each.state == states.WAITING],
        blocked=[each for each in found if each.state == states.BLOCKED],
    )


@register.simple_tag
def join_requests_number(conversation: Conversation, can: list[str]) -> int:
    """Return how many people wait, for members who can answer, else 0. `can`: see access.can()."""
    return queries.waiting_number(conversation.pk) if rules.ANSWER.name in can else 0
