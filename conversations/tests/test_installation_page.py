"""The page on which administrators set up the installation, and what new people then find."""

from __future__ import annotations

import pytest
from django.core import mail
from django.test import Client

from accounts import installation
from accounts.models import InstallationSettings, User
from chatty.common.errors import ChatError
from chatty.error_responses import error_response
from conversations import actions
from conversations.models import Instance, Membership
from tests.cast import PASSWORD
from tests.html import one, parse, values, words

pytestmark = [pytest.mark.django_db, pytest.mark.entrances]
PAGE = "/settings/installation/"
SIGN_UP = {"name": "Mina", "email": "mina@example.org", "password": "seven slow ferries"}
FORM = {
    "name": "Harbour",
    "welcome": "Ask Ann anything.",
    "sign_up": "open",
    "custom_emoji": "administrators",
    "conversation": "",
}


def form_fields(page) -> dict[str, str]:
    """Return what a browser sends if nothing is changed."""
    form = one(page, "main form.form")
    chosen = form.select("input:not([type=radio]), input[checked]")
    fields = {str(each["name"]): str(each.get("value", "")) for each in chosen}
    for each in form.select("textarea"):
        fields[str(each["name"])] = each.text.removeprefix("\n")
    for each in form.select("select"):
        option = each.select_one("option[selected]")
        fields[str(each["name"])] = str(option["value"]) if option else ""
    return fields


@pytest.fixture
def root(rita) -> Client:
    rita.is_staff = rita.is_superuser = True
    rita.save()
    client = Client()
    client.force_login(rita)
    return client


def test_administrator_finds_it_after_signing_in_until_it_was_saved(client, rita):
    rita.is_staff = rita.is_superuser = True
    rita.save()
    form = {"email": rita.email, "password": PASSWORD}
    assert client.post("/sign-in/", form).url == PAGE
    asked_to = Client().get("/").url  # what someone who opens the first page is asked to do
    assert Client().post(asked_to, form).url == PAGE
    assert Client().post("/sign-in/", {**form, "next": "/help/"}).url == "/help/"
    client.post(PAGE, FORM)
    installation.forget()
    assert Client().post("/sign-in/", form).url == "/"


def test_only_administrators_can_use_it(root, client, bob):
    client.force_login(bob)
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, FORM).status_code == 403
    assert client.post(f"{PAGE}test-mail/").status_code == 403
    assert PAGE not in client.get("/settings/profile/").content.decode()
    assert PAGE in root.get("/settings/profile/").content.decode()
    assert "/admin/" in values(root.get("/settings/profile/"), "a", "href")


def test_next_steps_are_offered_after_the_first_save(root, open_group):
    form = {**FORM, "conversation": open_group.pk}
    saved = root.post(PAGE, form)
    installation.forget()
    offered = one(root.get(saved["Location"]), "[aria-labelledby=ready-title]")
    assert words(one(offered, "h2")) == "Harbour is ready"
    pk = open_group.pk
    assert values(offered, "a", "href") == [f"/invitations/?conversation={pk}", f"/c/{pk}/"]
    assert root.post(PAGE, {**form, "name": "Harbor"})["Location"] == PAGE
    assert "ready-title" not in root.get(PAGE).content.decode()


def test_name_welcome_text_and_policy_are_stored(root, open_group):
    assert root.post(PAGE, {**FORM, "conversation": open_group.pk}).status_code == 303
    row = InstallationSettings.objects.get()
    assert (row.name, row.welcome, row.sign_up) == ("Harbour", "Ask Ann anything.", "open")
    assert row.custom_emoji == "administrators"
    assert Instance.objects.get().welcome_id == open_group.pk
    installation.forget()
    assert words(one(root.get(PAGE), ".sidebar__brand")) == "Harbour"
    assert words(one(Client().get("/sign-up/"), "h1")) == "Join Harbour"


@pytest.mark.parametrize("as_root", [True, False])
def test_pages_are_titled_with_the_name(as_root, root, open_group):
    InstallationSettings.objects.create(name="Harbour")
    installation.forget()
    own = [
        "/",
        f"/c/{open_group.pk}/",
        "/settings/profile/",
        "/admin/",
        "/admin/accounts/user/",
        PAGE,
    ]
    public = ["/sign-in/", "/sign-up/", "/password/forgotten/", "/help/", "/nowhere/"]
    for address in own if as_root else public:
        page = parse((root if as_root else Client()).get(address))
        title = one(page, "head title").text
        assert title.endswith(" · Harbour"), address
        assert "Chatty" not in title, address


def test_page_about_a_failure_has_the_name_as_last_read_without_a_query(
    root, rf, django_assert_num_queries
):
    InstallationSettings.objects.create(name="Harbour")
    installation.forget()
    root.get(PAGE)
    with django_assert_num_queries(0):
        answer = error_response(rf.get("/"), ChatError("unavailable"))
    assert one(parse(answer), "head title").text == "Something went wrong · Harbour"


@pytest.mark.parametrize(
    ("configured", "sender"),
    [
        ("chatty@example.org", '"Harbour, Inc." <chatty@example.org>'),
        ("Ops <chatty@example.org>", "Ops <chatty@example.org>"),
    ],
)
def test_emails_come_from_the_installation(configured, sender, root, settings, mailoutbox):
    InstallationSettings.objects.create(name="Harbour, Inc.")
    installation.forget()
    settings.DEFAULT_FROM_EMAIL = configured
    root.post(f"{PAGE}test-mail/")
    (sent,) = mailoutbox
    assert sent.from_email == sender
    assert sent.subject.startswith("Test mail from Harbour, Inc. at")


def test_only_what_was_changed_on_the_page_is_saved(root, open_group):
    """Two administrators have the page open, and each changes something else."""
    root.post(PAGE, FORM)
    pages = []
    for _ in range(2):
        installation.forget()
        pages.append(form_fields(root.get(PAGE)))
    first, second = pages
    root.post(PAGE, {**first, "name": "Pier", "conversation": open_group.pk})
    installation.forget()
    root.post(PAGE, {**second, "welcome": "Ask Bob."})
    row = InstallationSettings.objects.get()
    assert (row.name, row.welcome, row.sign_up) == ("Pier", "Ask Bob.", "open")
    assert Instance.objects.get().welcome_id == open_group.pk
    root.post(PAGE, {**second, "name": ""})
    assert InstallationSettings.objects.get().name == ""


def test_conversation_for_new_people_is_offered_once_and_never_chosen_without_asking(
    root, alice, bob, open_group
):
    """As after an upgrade: there are conversations, and no one was asked yet."""
    busy = actions.create_conversation(alice, name="Busy", access="open")
    actions.join(bob, busy.pk)
    page = root.get(PAGE)
    assert one(page, "select[name=conversation] option[selected]")["value"] == str(busy.pk)
    assert not Instance.objects.filter(welcome__isnull=False).exists()
    root.post(PAGE, {**FORM, "conversation": busy.pk})
    assert Instance.objects.get().welcome_id == busy.pk
    root.post(PAGE, FORM)  # none
    installation.forget()
    assert one(root.get(PAGE), "select[name=conversation] option[selected]")["value"] == ""
    assert Instance.objects.get().welcome_id is None


def test_environment_wins_and_is_shown_as_fixed(root, settings):
    settings.SIGN_UP, settings.CUSTOM_EMOJI = "closed", "everyone"
    page = root.get(PAGE)
    assert "This is set by SIGN_UP in the environment" in words(parse(page))
    assert "This is set by CUSTOM_EMOJI in the environment" in words(parse(page))
    assert b'name="sign_up"' not in page.content
    assert b'name="custom_emoji"' not in page.content
    assert root.post(PAGE, FORM).status_code == 303
    assert InstallationSettings.objects.get().name == "Harbour"
    assert installation.sign_up_policy() == "closed"
    assert installation.emoji_policy() == "everyone"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x" * 41},
        {"name": "a\u202eb"},
        {"sign_up": "anyone"},
        {"custom_emoji": "me"},
        {"conversation": "7"},
    ],
)
def test_wrong_values_are_rejected(wrong, root, pair):
    assert root.post(PAGE, {**FORM, **wrong}).status_code == 400
    assert not InstallationSettings.objects.exists()


def test_private_conversation_can_not_be_the_first_one(root, pair):
    assert root.post(PAGE, {**FORM, "conversation": pair.pk}).status_code == 400


def test_secrets_are_not_shown(root, settings):
    settings.MAIL_SET_UP = True
    settings.EMAIL_HOST, settings.EMAIL_PORT = "mail.example.org", 587
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "chatty", "hunter2hunter2"
    page = root.get(PAGE).content.decode()
    assert "mail.example.org:587" in page
    assert settings.EMAIL_HOST_PASSWORD not in page
    assert settings.SECRET_KEY not in page


def test_line_for_the_environment_is_shown_without_a_mail_server(root, settings):
    settings.MAIL_SET_UP = False
    page = words(parse(root.get(PAGE)))
    assert "EMAIL_URL=smtp+tls://user:password@mail.example.org:587" in page
    assert "Send a test mail" not in page


def test_test_mail_is_sent_at_once_to_the_administrator(root, rita):
    page = root.post(f"{PAGE}test-mail/", follow=True)
    assert f"Sent to {rita.email}." in words(parse(page))
    assert [each.to for each in mail.outbox] == [[rita.email]]


def test_failed_test_mail_says_why(root, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    page = root.post(f"{PAGE}test-mail/", follow=True)
    assert "Not sent. The mail server could not be reached" in words(parse(page))


def test_newcomer_lands_in_the_welcome_conversation(
    client, open_group, django_capture_on_commit_callbacks
):
    actions.set_welcome(open_group.pk)
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post("/sign-up/", SIGN_UP).url == "/"
        assert User.objects.get(email=SIGN_UP["email"]).pk
    mina = User.objects.get(email=SIGN_UP["email"])
    assert Membership.objects.get(user=mina).conversation_id == open_group.pk
    for agent in ("Firefox", "Firefox Mobi"):
        assert client.get("/", headers={"User-Agent": agent}).url == f"/c/{open_group.pk}/"
    page = words(parse(client.get(f"/c/{open_group.pk}/")))
    assert "Hello Mina, good to have you here" in page
    assert "Welcome, Mina" not in page  # which other pages say, after signing up
    assert "Mina joined" in page


@pytest.mark.parametrize("change", [{"access": "closed"}, {"archived": True}])
def test_sign_up_succeeds_without_the_welcome_conversation(
    change, client, alice, open_group, django_capture_on_commit_callbacks
):
    actions.set_welcome(open_group.pk)
    if "archived" in change:
        actions.archive(alice, open_group.pk)
    else:
        actions.update_conversation(alice, open_group.pk, **change)
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post("/sign-up/", SIGN_UP).status_code == 303
    assert not Membership.objects.filter(user__email=SIGN_UP["email"]).exists()
