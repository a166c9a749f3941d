"""The menus of filters on the search page. All are links and forms that change the text of the query."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.queries import people_with_accounts
from chatty.common.folded_names import holds_all
from chatty.common.text import fold_loosely
from conversations import queries
from conversations.search.grams import fold
from conversations.search.mine import Mine
from conversations.search.query_text import QUOTES, filters_in, toggled
from conversations.web.people_search import search_people
from conversations.web.signed_in import parse_ids

SHOWN = 8  # names in a menu, besides those that are chosen
_TIMES = ("after", "before")


@dataclass(frozen=True, slots=True)
class FilterChoice:
    """`url`: of the search with it, or without it if it is on."""

    label: str
    is_on: bool
    url: str


@dataclass(frozen=True, slots=True)
class Menu:
    """`chosen`: what is on, in words. `find_label`: of the field that narrows its choices, which has the text
    `find`; "" if there are few."""

    name: str
    label: str
    chosen: str
    choices: list[FilterChoice]
    is_open: bool = False
    find_label: str = ""
    find: str = ""


def value_of(name: str, number: int, *, is_name: bool = True) -> str:
    """Return how a filter names a person or conversation: by its number if the name is made of others', or
    has what would end it."""
    return name if is_name and not set(name) & set(QUOTES) else str(number)


class Menus:
    """`text`: the query. `opened`: the name of the menu whose choices are narrowed to `find`."""

    def __init__(
        self, request: HttpRequest, mine: Mine, text: str, *, opened: str = "", find: str = ""
    ) -> None:
        self._request = request
        self._mine = mine
        self._text = text
        self._find = {opened: find}

    def build(self) -> list[Menu]:
        """Raises ChatError("slow_down"). At most six queries."""
        return [self._conversations(), self._people(), self._times(), self._kinds()]

    def mention(self) -> FilterChoice:
        return self._choice(_("@ me"), "mentions", "me")

    def _conversations(self) -> Menu:
        mine, find = self._mine, self._find.get("in", "")
        ids = mine.by_use
        if find:
            titles = mine.titles
            ids = [pk for pk in ids if holds_all(fold_loosely(titles[pk]), find)]
        titles = mine.titles_of(ids[:SHOWN])
        named = [(value_of(titles[pk], pk, is_name=self._is_name(pk)), titles[pk]) for pk in titles]
        numbered = mine.titles_of(parse_ids(self._values("in")))
        labels = {str(pk): title for pk, title in numbered.items()}
        more = _("Find a conversation") if len(mine.rows) > SHOWN else ""
        return self._named_menu("in", _("In"), named, labels, more)

    def _is_name(self, pk: int) -> bool:
        row = self._mine.rows[pk]
        return bool(row.name or row.direct_key)

    def _people(self) -> Menu:
        find = self._find.get("from", "")
        me = self._mine.user
        if find:
            people = search_people(self._request, find, limit=SHOWN)
            more = True
        else:
            people = self._people_by_use()
            more = len(people) > SHOWN
        named = [(value_of(each.name, each.pk), each.name) for each in people if each.pk != me.pk]
        if not find:
            named.insert(0, ("me", _("Me")))
        numbered = parse_ids(self._values("from"))[:SHOWN]
        read = people_with_accounts(numbered) if numbered else []
        labels = {"me": _("Me"), **{str(each.pk): each.name for each in read}}
        find_label = _("Find people by name") if more else ""
        return self._named_menu("from", _("From"), named[: SHOWN + 1], labels, find_label)

    def _people_by_use(self) -> list[User]:
        """Return the people of direct messages, then those that used Chatty last, then others: one more than
        are shown, if there are."""
        ids = list(self._mine.partners)[: SHOWN + 1]
        read = {each.pk: each for each in people_with_accounts(ids)} if ids else {}
        found = {pk: read[pk] for pk in ids if pk in read}
        for each in queries.kept_people_seen_last(self._mine.user):
            found.setdefault(each.pk, each)
        if len(found) <= SHOWN:
            for each in queries.people(self._mine.user, limit=SHOWN + 2):
                found.setdefault(each.pk, each)
        found.pop(self._mine.user.pk, None)
        return list(found.values())[: SHOWN + 1]

    def _named_menu(
        self,
        name: str,
        label: str,
        named: Iterable[tuple[str, str]],
        labels: dict[str, str],
        find_label: str,
    ) -> Menu:
        """`named`: the choices, as (value, label). `labels`: of values that say nothing to people."""
        listed = {fold(value): (value, text) for value, text in named}
        on = {fold(value): (value, labels.get(value, value)) for value in self._values(name)}
        on = {key: listed.get(key, given) for key, given in on.items()}
        find = self._find.get(name, "")
        # What is on first, unless the choices are what was looked for.
        shown = listed if find else {**on, **listed}
        choices = [self._choice(text, name, value) for value, text in shown.values()]
        chosen = ", ".join(text for _value, text in on.values())
        return Menu(name, label, chosen, choices, name in self._find, find_label, find)

    def _times(self) -> Menu:
        today = timezone.localdate()
        days = ((1, _("Today")), (7, _("Last 7 days")), (30, _("Last 30 days")))
        choices = [
            self._choice(label, "after", str(today - timedelta(days=number)), _TIMES)
            for number, label in (*days, (365, _("Last 12 months")))
        ]
        on = [each.label for each in choices if each.is_on]
        if not on:
            given = [(name, day) for name in _TIMES for day in self._values(name)]
            on = [day for _name, day in given]
            choices[:0] = [self._choice(f"{name}:{day}", name, day) for name, day in given]
        return Menu("when", _("When"), ", ".join(on), choices)

    def _kinds(self) -> Menu:
        kinds = {
            "image": _("Pictures"),
            "file": _("Files"),
            "audio": _("Audio"),
            "video": _("Videos"),
            "text": _("Texts"),
        }
        choices = [self._choice(label, "has", kind) for kind, label in kinds.items()]
        on = ", ".join(each.label for each in choices if each.is_on)
        return Menu("has", _("Has"), on, choices)

    def _values(self, name: str) -> list[str]:
        return [value for each, value in filters_in(self._text) if each == name]

    def _choice(
        self, label: str, name: str, value: str, instead_of: tuple[str, ...] = ()
    ) -> FilterChoice:
        is_on, changed = toggled(self._text, name, value, instead_of=instead_of)
        return FilterChoice(label, is_on, f"?{urlencode({'q': changed})}" if changed else "?")
