"""Translations are complete: every string is translated, with the same placeholders."""

from __future__ import annotations

import re
from gettext import GNUTranslations
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import label_for_field
from django.utils import translation
from django.utils.functional import Promise

from chatty.common.errors import CODES, ChatError
from chatty.common.text import clean_body
from conversations import notices
from tests import catalogue

TEMPLATES = sorted(
    path for path in (catalogue.ROOT / "templates").rglob("*") if path.suffix in {".html", ".txt"}
)


@pytest.fixture(scope="module")
def strings() -> Catalog:
    return catalogue.said()


def test_every_language_except_english_has_a_catalogue():
    offered = {code for code, _ in settings.LANGUAGES} - {"en"}
    assert {catalogue.language(path) for path in catalogue.catalogues()} == offered


@pytest.mark.parametrize("path", catalogue.catalogues(), ids=catalogue.language)
def test_catalogue_is_complete_and_compiled(path, strings):
    """`python -m tests.catalogue` fixes what can be fixed without knowing the language."""
    assert list(catalogue.problems(path, strings)) == []


def test_names_of_apps_in_the_admin_site_are_translated():
    ours = {"accounts", "chatty", "conversations"}
    own = [each for each in apps.get_app_configs() if each.name.partition(".")[0] in ours]
    named = {each.name for each in own if isinstance(each.verbose_name, Promise)}
    assert named == {each.name for each in own} - {"chatty"}  # a name of its own


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('msgstr "Beendet"', 'msgstr ""', "not translated"),
        ('msgid "Ended"', '#, fuzzy\nmsgid "Ended"', "fuzzy"),
        ('msgid "Ended"', 'msgid "Over"', "no longer used"),
        ("%(who)s ist", "Jemand ist", "placeholders differ"),
        ("{n} neue", "{m} neue", "placeholders differ"),
        ('"Beendet"', '"Ended"', "the same as its original"),
        ('"Beendet"', '"Schluss"', "stale"),
        ('"Beendet"', '"Die Unterhaltung endet.Die Unterhaltung ist zu Ende."', "two translations"),
        ('"Beendet"', '"Beendet.Beendet."', "two translations"),
    ],
)
def test_problems_in_a_catalogue_are_found(before, after, said, tmp_path):
    strings = Catalog()
    for string in ("Ended", "%(who)s joined", ("{n} new", "{n} new ones")):
        strings.add(string, locations=[("page.html", 0)])
    path = tmp_path / "de" / "LC_MESSAGES" / "django.po"
    path.parent.mkdir(parents=True)
    path.write_text(
        'msgid "Ended"\nmsgstr "Beendet"\n\nmsgid "%(who)s joined"\nmsgstr "%(who)s ist da"\n\n'
        'msgid "{n} new"\nmsgid_plural "{n} new ones"\nmsgstr[0] "{n} neue"\nmsgstr[1] "{n} neue"\n'
    )
    whole = catalogue.merged(path, strings)
    path.write_bytes(catalogue.as_po(whole))
    path.with_suffix(".mo").write_bytes(catalogue.as_mo(whole))
    assert list(catalogue.problems(path, strings)) == []
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    assert said in "\n".join(catalogue.problems(path, strings))


def test_strings_of_python_and_templates_are_found(strings):
    assert strings.get("Sign in to continue.")  # gettext_lazy in Python
    assert strings.get("Skip to main content")  # {% translate %}
    assert strings.get("%(counter)s person")  # {% blocktranslate count %}
    assert strings.get("j F Y")  # |date:_("...")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_have_no_untranslated_text(path):
    assert _bare_words(path) == []


def _bare_words(path: Path) -> list[str]:
    """Return what a page would show in every language: text and attributes outside translation tags."""
    page = path.read_text()
    page = re.sub(r"{%\s*blocktranslate.*?endblocktranslate\s*%}", "", page, flags=re.DOTALL)
    page = re.sub(r"{#.*?#}|{%\s*comment.*?endcomment\s*%}", "", page, flags=re.DOTALL)
    # Class names and the like, which a block can contain.
    page = re.sub(r"{% block (body_?class)\b.*?endblock[^%]*%}", "", page)
    page = re.sub(r"{%.*?%}|{{.*?}}", "", page, flags=re.DOTALL)
    # What is typed literally, such as the filters of a search, is not translated.
    page = re.sub(r"<(script|style|code)\b.*?</\1>", "", page, flags=re.DOTALL)
    spoken = re.findall(r'\s(?:aria-label|title|placeholder|alt)="([^"]*)"', page)
    spoken += re.split(r"<[^>]*>", page)
    # A single letter is a key on the keyboard, which needs no translation.
    return [
        text.strip() for text in spoken if re.search(r"[^\W\d_]{2}", text.replace("Chatty", ""))
    ]


@pytest.mark.parametrize("path", catalogue.catalogues(), ids=catalogue.language)
def test_no_translation_has_a_former_one_beside_it(path):
    """Then it would be about twice as long as the original."""
    translations = GNUTranslations(path.with_suffix(".mo").open("rb"))
    known = {msgid: text for msgid, text in translations._catalog.items() if isinstance(msgid, str)}
    assert len(known) > 500
    long = {msgid: text for msgid, text in known.items() if len(text) > 1.7 * len(msgid) + 25}
    assert [text for msgid, text in long.items() if msgid] == []


def test_error_messages_follow_the_active_language():
    with pytest.raises(ChatError) as caught:
        clean_body("x" * 5000, max_length=4000)
    assert caught.value.detail == "That’s too long: 5,000 characters (max 4,000)."
    with translation.override("de"):
        assert caught.value.detail == "Das ist zu lang: 5.000 Zeichen (höchstens 4.000)."
        assert caught.value.as_dict()["fields"] == {"body": [caught.value.detail]}


# For developers: see errors.py.
_NOT_TRANSLATED = {"bad_frame", "upgrade_required"}


@pytest.mark.parametrize("code", sorted(set(CODES) - _NOT_TRANSLATED))
def test_error_messages_are_translated(code):
    english = ChatError(code).detail
    with translation.override("de"):
        assert ChatError(code).detail != english


def test_system_message_patterns_are_translated_with_placeholders():
    with translation.override("de"):
        assert notices.patterns()["added"] == "{who} hat {whom} hinzugefügt."
        assert notices.patterns()["renamed"] == "{who} hat die Unterhaltung in „{new}“ umbenannt."


def test_names_in_the_administration_are_translated():
    for model, options in admin.site._registry.items():
        shown = [*options.list_display, *(options.fields or ())]
        fields = [each for each in dict.fromkeys(shown) if isinstance(each, str)]
        english, german = (_names_in_admin(options, fields, code) for code in ("en", "de"))
        same = {name for name, other in zip(english, german, strict=True) if name == other}
        assert same <= {"#", "ID"}, model


def _names_in_admin(options, fields, language):
    with translation.override(language):
        labels = [label_for_field(field, options.model, options) for field in fields]
        names = (options.opts.verbose_name, options.opts.verbose_name_plural)
        return [str(each) for each in (*labels, *names)]
