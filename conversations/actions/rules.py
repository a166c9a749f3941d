"""Checks that several actions share."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.models import Count, QuerySet
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from chatty.common.errors import ChatError
from chatty.common.text import clean_line, counted
from conversations import limits, permissions
from conversations.models import Audience, Conversation, Membership


def clean_name(name: str) -> str:
    return clean_line(name, field="name", max_length=limits.NAME_MAX)


def clean_topic(topic: str) -> str:
    return clean_line(topic, field="topic", max_length=limits.TOPIC_MAX, required=False)


def check_access(value: str) -> None:
    if value not in Conversation.Access.values:
        raise ChatError("invalid", fields={"access": [_("Choose public or private.")]})


def check_permission(setting: str, value: str | int) -> None:
    """Raise ChatError("invalid") if this setting of a conversation can't have this value."""
    if setting == "slow_mode":
        if not isinstance(value, int) or not 0 <= value <= limits.SLOW_MODE_MAX:
            detail = _("Choose a number of seconds from 0 to {max}.")
            text = format_lazy(detail, max=counted(limits.SLOW_MODE_MAX))
            raise ChatError("invalid", fields={setting: [text]})
    elif setting not in permissions.settings():
        raise ChatError("invalid", fields={setting: [_("Unknown setting.")]})
    elif value not in Audience.values:
        raise ChatError("invalid", fields={setting: [_("Choose everyone or admins.")]})


def check_role(value: str) -> None:
    if value not in Membership.Role.values:
        raise ChatError("invalid", fields={"role": [_("Unknown role.")]})


def clean_ids(ids: Iterable[int]) -> set[int]:
    found = set(ids)
    if len(found) > limits.ADD_MAX:
        detail = _("You can add up to {max} people at once.")
        raise ChatError("too_many", format_lazy(detail, max=limits.ADD_MAX))
    return found


def require_open_account(user: User) -> User:
    """Return the acting user, reloaded. Raises ChatError("account_closed") if deactivated."""
    found = User.objects.filter(pk=user.pk, is_active=True).first()
    if found is None:
        raise ChatError("account_closed")
    return found


def active_user(user_id: int) -> User:
    (user,) = active_users({user_id})
    return user


def active_users(ids: set[int]) -> list[User]:
    """Return users by id. Raises ChatError("not_found") if one does not exist or is deactivated."""
    people = list(User.objects.filter(pk__in=ids, is_active=True).order_by("pk"))
    if len(people) != len(ids):
        raise ChatError("not_found", _("User not found."))
    return people


def get_member(conversation: Conversation, user_id: int) -> Membership:
    members = memberships_of(conversation).select_related("user")
    target = members.filter(user_id=user_id).first()
    if target is None:
        raise ChatError("not_found", _("This person isn’t a member."))
    target.conversation = conversation
    return target


def is_deserted(conversation: Conversation) -> bool:
    """Return whether a group has no active members. The first one to come becomes its owner."""
    return not memberships_of(conversation).filter(user__is_active=True).exists()


def require_another_owner(membership: Membership) -> None:
    """Raise ChatError("last_owner") if this owner's group has no other owner with an active account."""
    if not membership.is_owner:
        return
    others = memberships_of(membership.conversation).exclude(pk=membership.pk)
    if not others.filter(role=Membership.Role.OWNER, user__is_active=True).exists():
        raise ChatError("last_owner")


def require_room_for_members(conversation: Conversation, more: int) -> None:
    if memberships_of(conversation).count() + more > limits.MEMBERS_MAX:
        detail = _("A conversation can have up to {max} members.")
        raise ChatError("too_many", format_lazy(detail, max=counted(limits.MEMBERS_MAX)))


def require_room_to_join(user_id: int) -> None:
    """Raise ChatError("too_many") if the person can't create or join another conversation."""
    if not has_room_to_join(user_id):
        detail = _("You’re in {max} conversations, which is the limit. Leave one first.")
        raise ChatError("too_many", format_lazy(detail, max=counted(limits.CONVERSATIONS_MAX)))


def has_room_to_join(user_id: int) -> bool:
    own = Membership.objects.filter(user_id=user_id, unopened=False)
    return own.count() < limits.CONVERSATIONS_MAX


def require_room_to_be_added(people: Collection[User]) -> None:
    """Raise ChatError("too_many") with the names of people who have too many unopened groups."""
    full = _names_with_unopened(people, Conversation.Kind.GROUP, limits.UNOPENED_GROUPS_MAX)
    if full:
        detail = _(
            "Not added, because they have too many new conversations: {names}. Try "
            "again after they’ve opened some."
        )
        raise ChatError("too_many", format_lazy(detail, names=", ".join(full)))


def require_room_for_direct(person: User) -> None:
    """Raise ChatError("too_many") if the person has too many unopened direct messages."""
    if _names_with_unopened([person], Conversation.Kind.DIRECT, limits.UNOPENED_DIRECTS_MAX):
        detail = _("{name} has too many new direct messages. Try again later.")
        raise ChatError("too_many", format_lazy(detail, name=person.name))


def _names_with_unopened(people: Collection[User], kind: str, most: int) -> list[str]:
    """Return the names of people with `most` or more unopened conversations of this kind."""
    rows = Membership.objects.filter(user__in=people, unopened=True, conversation__kind=kind)
    full = set(
        rows.values("user_id")
        .annotate(number=Count("*"))
        .filter(number__gte=most)
        .values_list("user_id", flat=True)
    )
    return [person.name for person in people if person.pk in full]


def memberships_of(conversation: Conversation) -> QuerySet[Membership]:
    return Membership.objects.filter(conversation=conversation)
