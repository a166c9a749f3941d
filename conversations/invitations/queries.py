"""Reading invitations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeVar

from django.db.models import Count, Q, QuerySet, Window
from django.db.models.functions import RowNumber

from accounts.models import User
from accounts.queries import user_by_email
from chatty.common import link_tokens
from chatty.common.errors import ChatError
from chatty.common.limiter import buckets_of, limiter
from chatty.common.look_alikes import look_alike
from conversations.invitations import addresses, limits, rules, tokens
from conversations.invitations.models import Acceptance, Invitation, Target
from conversations.invitations.rules import Offer
from conversations.models import Conversation, Departure, Membership, Removal
from conversations.queries import titles_of_unnamed

Row = TypeVar("Row", Removal, Departure)

_CANDIDATES = 300  # names that an inviter's name is compared with


def find_invitation(token: str, *, address: str) -> Invitation:
    """Return the invitation of a link, valid or not, with its inviter.

    `address`: the client's IP address. Links that don't exist count against its limit and that of its
    network. Raises ChatError("not_found" | "slow_down").
    """
    guesses = buckets_of("invitation_guesses", address)
    limiter.take(guesses)
    rows = Invitation.objects.select_related("created_by")
    found = None
    if len(token) == link_tokens.LENGTH:
        found = rows.filter(token_hash=link_tokens.hash_token(token)).first()
    if found is None:
        raise ChatError("not_found")
    limiter.put_back_all(guesses)
    return found


def get_offer(invitation: Invitation, user: User | None = None) -> Offer:
    """Return what an invitation offers `user`, or someone without an account.

    Raises ChatError: invitation_ended, invitation_expired, invitation_used, archived, too_many, removed.
    """
    targets = _targets(invitation)
    joined = _joined(user, targets) if user else set()
    if joined and len(joined) == len(targets):
        return Offer(invitation, targets, frozenset(joined))
    rules.check_live(invitation)
    if not invitation.has_conversations:
        return Offer(invitation, [])
    inviting = rules.inviting_memberships(invitation)
    removals = _of_person(Removal, user, targets) if user else {}
    departures = _of_person(Departure, user, targets) if user else {}
    members = _members_counts(targets)
    offered: list[Conversation] = []
    errors: list[ChatError] = []
    for conversation in targets:
        pk = conversation.pk
        try:
            if pk not in joined:
                rules.check_joinable(
                    invitation, inviting.get(pk), removals.get(pk), departures.get(pk)
                )
                rules.check_room(conversation, members.get(pk, 0))
            offered.append(conversation)
        except ChatError as error:
            errors.append(error)
    if not offered:
        raise rules.most_telling(errors)
    return Offer(invitation, offered, frozenset(joined))


def _targets(invitation: Invitation) -> list[Conversation]:
    rows = invitation.conversations.filter(deleted_at=None)
    return list(rows.order_by("pk"))


def _joined(user: User, targets: Collection[Conversation]) -> set[int]:
    rows = Membership.objects.filter(user=user, conversation__in=targets)
    return set(rows.values_list("conversation_id", flat=True))


def _of_person(model: type[Row], user: User, targets: Collection[Conversation]) -> dict[int, Row]:
    rows = model._default_manager.filter(user=user, conversation__in=targets)
    return {row.conversation_id: row for row in rows}


def _members_counts(targets: Collection[Conversation]) -> dict[int, int]:
    rows = Membership.objects.filter(conversation__in=targets).order_by()
    counted = rows.values_list("conversation_id").annotate(Count("pk"))
    return dict(counted.values_list("conversation_id", "pk__count"))


def has_look_alike(inviter: User, conversations: Iterable[Conversation]) -> bool:
    """Return whether the inviter's name looks like that of someone else with the same name, an administrator,
    or a member who manages one of the conversations."""
    manages = Membership.objects.filter(
        conversation__in=[each.pk for each in conversations],
        role__in=[Membership.Role.OWNER, Membership.Role.ADMIN],
    )
    others = User.objects.filter(is_active=True).exclude(pk=inviter.pk)
    prominent = others.filter(
        Q(name=inviter.name) | Q(is_staff=True) | Q(pk__in=manages.values("user_id"))
    )
    names = prominent.order_by("pk").values_list("name", flat=True)[:_CANDIDATES]
    return any(look_alike(inviter.name, name) for name in names)


def is_member_already(email: str, conversation_ids: Collection[int]) -> bool:
    """Return whether the address belongs to a member of all these conversations; with none, to an account."""
    found = [user for form in addresses.forms_of(email) if (user := user_by_email(form))]
    for user in found:
        if not user.is_active:
            continue
        own = Membership.objects.filter(user=user, conversation__in=conversation_ids)
        if own.count() == len(conversation_ids):
            return True
    return False


class InvitedTo(NamedTuple):
    """A conversation as its members know it. `name`: its title, if it has no name."""

    pk: int
    name: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An invitation in the list of its inviter. `people`: the latest who came, at most PEOPLE_SHOWN.
    `state`: "live" or the reason why it isn't valid."""

    invitation: Invitation
    conversations: list[InvitedTo]
    people: list[User]
    state: str

    @property
    def more_people(self) -> int:
        return max(0, self.invitation.uses - len(self.people))

    @property
    def is_live(self) -> bool:
        return self.state == "live"


def invitations_of(user: User, *, limit: int, before: int | None = None) -> list[Listed]:
    """Return a person's own invitations, latest first. `before`: the id after which the last page ended."""
    rows = Invitation.objects.filter(created_by=user).order_by("-pk")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return _listed(rows[:limit], user)


def get_listed(user: User, invitation_id: int) -> Listed:
    """Return one of a person's own invitations. Raises ChatError("not_found")."""
    found = _listed(Invitation.objects.filter(created_by=user, pk=invitation_id), user)
    if not found:
        raise ChatError("not_found")
    return found[0]


def _listed(rows: QuerySet[Invitation], user: User) -> list[Listed]:
    """Return these invitations of a person. A fixed number of queries."""
    found = list(rows.select_related("created_by"))
    ids = [each.pk for each in found]
    targets: dict[int, list[Conversation]] = defaultdict(list)
    for target in Target.objects.filter(
        invitation__in=ids, conversation__deleted_at=None
    ).select_related("conversation"):
        targets[target.invitation_id].append(target.conversation)
    people: dict[int, list[User]] = defaultdict(list)
    for acceptance in _latest_acceptances(ids):
        people[acceptance.invitation_id].append(acceptance.user)
    own = _refusals(found)
    for each in found:
        # Not those that the inviter has left: they may have got another name since.
        targets[each.pk] = [to for to in targets[each.pk] if (user.pk, to.pk) in own]
    titles = _titles(user, [to for each in targets.values() for to in each])
    return [
        Listed(
            each,
            [InvitedTo(to.pk, titles[to.pk]) for to in targets[each.pk]],
            people[each.pk],
            _state(each, targets[each.pk], own),
        )
        for each in found
    ]


def _titles(user: User, conversations: Collection[Conversation]) -> dict[int, str]:
    """Return id -> title for this member. One query, none if all of them have names."""
    names = {each.pk: each.name for each in conversations}
    unnamed = [pk for pk, name in names.items() if not name]
    return names | (titles_of_unnamed(unnamed, user) if unnamed else {})


def _latest_acceptances(invitation_ids: Collection[int]) -> QuerySet[Acceptance]:
    """Return the latest PEOPLE_SHOWN of each invitation."""
    place = Window(RowNumber(), partition_by=["invitation"], order_by="-pk")
    rows = Acceptance.objects.filter(invitation__in=invitation_ids).annotate(place=place)
    shown = rows.filter(place__lte=limits.PEOPLE_SHOWN)
    return shown.select_related("user").order_by("-pk")


def _refusals(invitations: Collection[Invitation]) -> dict[tuple[int, int], str]:
    """Return (user id, conversation id) -> why the inviter can't invite to it, "" if they can."""
    rows = Membership.objects.select_related("conversation").filter(
        user__in={each.created_by_id for each in invitations},
        conversation__in=Target.objects.filter(invitation__in=[each.pk for each in invitations])
        .order_by()
        .values("conversation"),
        conversation__deleted_at=None,
    )
    found = {(row.user_id, row.conversation_id): rules.refusal(row) for row in rows}
    return {key: error.code if error else "" for key, error in found.items()}


def _state(
    invitation: Invitation,
    targets: Iterable[Conversation],
    refusals: Mapping[tuple[int, int], str],
) -> str:
    if invitation.revoked_at is not None:
        return "revoked"
    try:
        rules.check_live(invitation)
    except ChatError as error:
        return error.code.removeprefix("invitation_")
    if not invitation.has_conversations:
        return "live"
    reasons = {refusals.get((invitation.created_by_id, each.pk), "not_found") for each in targets}
    if "" in reasons:
        return "live"
    return "archived" if "archived" in reasons else "ended"


def conversations_to_invite_to(user: User, *, first: Collection[int] = ()) -> list[InvitedTo]:
    """Return conversations that the person can invite to, at most CHOICES_MAX: `first`, then by name."""
    rows = Membership.objects.select_related("conversation").filter(
        user=user, conversation__deleted_at=None, conversation__kind=Conversation.Kind.GROUP
    )
    can = [row.conversation for row in rows if rules.refusal(row) is None]
    found = [InvitedTo(pk, title) for pk, title in _titles(user, can).items()]
    found.sort(key=lambda each: (each.pk not in first, each.name.casefold(), each.pk))
    return found[: limits.CHOICES_MAX]


def find_setup(user: User, conversation_id: int, key: str) -> tuple[str, datetime] | None:
    """Return the token and the end of the invitation that the setup created, while it is valid."""
    rows = Invitation.objects.live().filter(
        created_by=user, targets__conversation_id=conversation_id
    )
    first = rows.order_by("pk").first()  # the setup's is their first one
    token = first and tokens.find_token(user.pk, key, first.token_hash)
    return (token, first.expires_at) if first and token else None
