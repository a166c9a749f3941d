"""The page of a conversation, and permalinks of messages."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts.current_user import current_user
from chatty.common.errors import ChatError
from conversations import access, actions, limits, queries
from conversations.content import Content
from conversations.models import Conversation, Membership, Message
from conversations.web import presence, timeline
from conversations.web.conversation_links import with_names
from conversations.web.layout import can_be_part, get_sidebar
from conversations.web.newcomers import find_newcomer
from conversations.web.page_data import OpenConversation
from conversations.web.signed_in import member_view, parse_id
from conversations.wire import ConversationOut, history_to_wire


def _new_key() -> str:
    return secrets.token_urlsafe(18)


@dataclass
class Composer:
    """The state of the message box: empty, with a reply, with a shared text, or with a rejected message.

    `values`: the fields of Content as texts, as typed; invalid ones too.
    """

    values: dict[str, str] = field(default_factory=dict)
    quote: timeline.Quote | None = None
    error: str = ""
    shared: bool = False  # from another app: scripts append it to a saved draft
    # Generated when the form is rendered, so that submitting it twice sends one message.
    key: str = field(default_factory=_new_key)

    @classmethod
    def posted(cls, form: Mapping[str, str]) -> Composer:
        """Return the state of a form that was sent."""
        values = {name: form.get(name, "") for name in Content.__struct_fields__}
        return cls(values, key=form.get("key", ""))

    @property
    def body(self) -> str:
        return self.values.get("body", "")

    @property
    def reply_to(self) -> int | None:
        return parse_id(self.values.get("reply_to"), least=1)

    def cancel_reply(self) -> None:
        self.values.pop("reply_to", None)

    def renew_key(self) -> None:
        self.key = _new_key()


@can_be_part
@member_view("GET")
def conversation(request: HttpRequest, conversation_id: int) -> HttpResponse:
    text = request.GET.get("text", "")  # see pwa.share()
    reply_to = request.GET.get("reply_to", "")
    composer = Composer({"body": text, "reply_to": reply_to}, shared=bool(text))
    try:
        with access.reading(current_user(request), conversation_id) as membership:
            return conversation_page(request, membership, composer)
    except ChatError as error:
        return join_page(request, conversation_id, error)


def join_page(request: HttpRequest, conversation_id: int, error: ChatError) -> HttpResponse:
    """Return the page of a public conversation for people who are not members. Joining leads back to the
    requested URL. For any other conversation, raises `error`.
    """
    found = queries.open_group(current_user(request), conversation_id)
    if error.code != "not_found" or found is None:
        raise error
    context = {"conversation": found, "next": request.get_full_path()}
    return render(request, "conversations/join.html", context)


def message_url(message: Message) -> str:
    """Return the URL of a message in its conversation, which must be loaded."""
    page = reverse("conversations:conversation", args=[message.conversation_id])
    is_recent = message.conversation.last_seq - message.seq < limits.PAGE_SIZE
    return f"{page}#m{message.pk}" if is_recent else f"{page}?around={message.seq}#m{message.pk}"


def conversation_page(
    request: HttpRequest, membership: Membership, composer: Composer
) -> HttpResponse:
    """Return the page of a conversation, also after a rejected message.

    Call this inside access.reading(), with its membership.
    """
    user = current_user(request)
    conversation = membership.conversation
    history = queries.history(conversation, **_history_window(request))
    if not history.messages:  # the URL is for a seq that doesn't exist
        history = queries.history(conversation)
    listed = _find_in_sidebar(request, conversation.pk)
    unread = _count_unread(listed, membership)
    first_unread = queries.first_unread_seq(membership) if unread else None
    _set_quote(composer, membership, history.messages)
    other = listed.other if listed else queries.other_person(conversation, user)
    title = listed.name if listed else queries.title(conversation, user)
    people = presence.load_participants(membership)
    online = presence.online_summary(people)
    entries = timeline.entries(
        history.messages, membership, first_unread=first_unread, folds="unfold" not in request.GET
    )
    spoken = None if history.has_newer else presence.last_own_message(entries)
    if spoken:
        seen = presence.read_receipt(people, spoken.message)
        entries[entries.index(spoken)] = replace(spoken, receipt=seen)
    entries = with_names(entries, get_sidebar(request).rows)
    card = find_newcomer(
        request, membership, history.messages, entries, has_older=history.has_older
    )
    above = card.above if card and card.above is not None else len(entries)
    first = history.messages[0].seq if history.messages else 0
    last = history.messages[-1].seq if history.messages else 0
    url = reverse("conversations:conversation", args=[conversation.pk])
    context = {
        "conversation": conversation,
        "membership": membership,
        "title": title,
        # After a rejected message this page has the URL for sending: links must be absolute.
        "url": url,
        "page_url": url if request.method == "POST" else request.get_full_path(),
        "person": other,
        "status": listed.status if listed and other and other.id != user.pk else None,
        "is_muted": membership.level == Membership.Level.NOTHING,
        "details": _details(request, conversation),
        "members_count": people.members_count,
        "online": online,
        "is_person_online": bool(online.count) or (other is not None and other.id == user.pk),
        "entries": entries[:above],
        "newcomer": card,
        "entries_below": entries[above:],
        "has_older": history.has_older,
        "has_newer": history.has_newer,
        "first_seq": first,
        "last_seq": last,
        "unread": _unread_bar(unread, first_unread, first, last, url),
        "composer": composer,
        "body_max": limits.BODY_MAX,
        "format_bar": request.COOKIES.get("format") == "1",  # static/js/views/formatting.js
        "file_max": limits.file_max(),
        "files_max": limits.FILES_MAX,
        "can": access.can(membership),
        "slow_mode_wait": actions.seconds_to_wait(membership),
    }
    context["open_conversation"] = OpenConversation(
        id=conversation.pk,
        kind=conversation.kind,
        last_seq=conversation.last_seq,
        last_read_seq=membership.last_read_seq,
        archived=conversation.is_archived,
        permissions=access.words_by_role(conversation),
        in_archive=access.words_in_archive(conversation),
        members=presence.participants_data(people, spoken.message if spoken else None),
        history=history_to_wire(history),
    )
    return render(request, "conversations/conversation.html", context)


def _details(request: HttpRequest, conversation: Conversation) -> str:
    """Return the URL of the panel beside the conversation, as it was last, or "" (js/views/pane.js)."""
    name = request.COOKIES.get("details")
    if name == "settings" or (name == "members" and not conversation.is_direct):
        return reverse(f"conversations:{name}", args=[conversation.pk])
    return ""


def _history_window(request: HttpRequest) -> dict[str, int]:
    """Return the page of history in the URL. Invalid values mean the latest."""
    if request.method != "POST":
        for name in ("around", "before", "after"):
            seq = parse_id(request.GET.get(name))
            if seq is not None:
                return {name: seq}
    return {}


@dataclass(frozen=True, slots=True)
class _Unread:
    number: int
    more: bool

    def __bool__(self) -> bool:
        return self.number > 0 or self.more


def _find_in_sidebar(request: HttpRequest, conversation_id: int) -> ConversationOut | None:
    """Return the conversation in the sidebar, which saves queries; None if it is not listed there."""
    listed = (row.conversation for row in get_sidebar(request).rows)
    return next((each for each in listed if each.id == conversation_id), None)


def _count_unread(listed: ConversationOut | None, membership: Membership) -> _Unread:
    found = listed or queries.sidebar_row(membership.user, membership.conversation_id)
    return _Unread(found.unread, found.unread_more) if found else _Unread(0, False)


def _unread_bar(
    unread: _Unread, seq: int | None, first: int, last: int, page: str
) -> dict[str, Any]:
    here = seq is not None and first <= seq <= last
    return {
        "count": unread.number,
        "more": "+" if unread.more else "",
        "url": "#new" if here or seq is None else f"{page}?around={seq}#new",
    }


def _set_quote(composer: Composer, membership: Membership, shown: list[Message]) -> None:
    """Set the quoted message. A query is only needed if it is not on the page."""
    if composer.reply_to is None:
        composer.cancel_reply()
        return
    quoted = next((each for each in shown if each.pk == composer.reply_to), None)
    if quoted is None:
        quoted = Message.objects.filter(
            pk=composer.reply_to, conversation_id=membership.conversation_id
        ).select_related("author").first()  # fmt: skip
    if quoted is None or not quoted.is_text or quoted.is_deleted:
        composer.cancel_reply()
        return
    composer.quote = timeline.quote(quoted)
