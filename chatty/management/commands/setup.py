"""Sets up everything that `serve` needs. Safe to repeat: it only does what is missing."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils.translation import gettext as _

from accounts.models import User, normal_email
from chatty.conf import env
from chatty.ops import databases, failures
from conversations import actions
from conversations.invitations.actions import create_setup_invitation
from conversations.models import Conversation

_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"  # none that look alike in a terminal


class Command(BaseCommand):
    help = "Set up Chatty: secret key, database, static files and first administrator."
    requires_system_checks = []  # there may be no database yet

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--email",
            default=settings.ADMIN_EMAIL,
            help="Email address of the first administrator. Default: ADMIN_EMAIL.",
        )
        parser.add_argument(
            "--name", default="Admin", help="Name of the first administrator. Default: Admin."
        )
        parser.add_argument(
            "--password-file",
            type=Path,
            help="Write the password of the first administrator to this file, which only its owner can "
            "read, instead of the terminal, whose output can end up in a log.",
        )

    def handle(
        self, *, email: str, name: str, password_file: Path | None = None, **options: Any
    ) -> None:
        settings.DATA_DIR.mkdir(parents=True, exist_ok=True, mode=0o700)
        databases.protect_files()
        if make_secret(settings.DATA_DIR):
            self.say("Generated a secret key.")
        failures.require_database()
        with databases.setup_lock(self.say):
            self.set_up(email, name, password_file)

    def set_up(self, email: str, name: str, password_file: Path | None = None) -> None:
        self.migrate()
        databases.compare_secret()
        self.collect()
        admin, password = first_administrator(email, name)
        if password:
            welcome(admin)
            self.say(_("Your account:   %s") % admin.email)
            if password_file is not None:
                write_password(password_file, password)
                self.say(_("The password is in %s") % password_file)
                return
            self.say(
                _("Password:       %s   (shown only once; change it in the settings)") % password
            )

    def say(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()

    def migrate(self) -> None:
        executor = MigrationExecutor(connection)
        databases.require_no_newer_migrations(executor.loader)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            self.say("Preparing the database...")
            with databases.migration_lock():
                call_command("migrate", interactive=False, verbosity=0)

    def collect(self) -> None:
        if settings.DEBUG or not files_are_newer_than_collected():
            return
        self.say("Collecting static files...")
        call_command("collectstatic", interactive=False, verbosity=0)


def make_secret(data_dir: Path) -> bool:
    """Store a secret unless there is one. Returns whether one was created."""
    if settings.SECRET_IS_STORED:
        return False
    key = secrets.token_urlsafe(50)
    # Created with mode 0600, so others can never read it. Linked only once it is complete, and never
    # overwritten, even if two setups start at the same time.
    new = data_dir / f".{env.SECRET_FILE}-{os.getpid()}"
    with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(key + "\n")
    try:
        (data_dir / env.SECRET_FILE).hardlink_to(new)
    except FileExistsError:
        key, _stored = env.get_secret_key(data_dir)
    finally:
        new.unlink()
    # The following steps of setup must use the new key.
    settings.SECRET_KEY = key
    settings.SECRET_IS_STORED = True
    return True


def write_password(path: Path, password: str) -> None:
    path.unlink(missing_ok=True)  # left by an earlier setup
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    with os.fdopen(os.open(path, flags, 0o600), "w") as file:
        file.write(password + "\n")


def files_are_newer_than_collected() -> bool:
    """Whether a source of the pages' files changed after they were collected (or never were)."""
    if not staticfiles_storage.exists("staticfiles.json"):
        return True
    collected = staticfiles_storage.get_modified_time("staticfiles.json")
    return any(
        storage.get_modified_time(path) > collected
        for finder in get_finders()
        for path, storage in finder.list([])
    )


def first_administrator(email: str, name: str) -> tuple[User, str]:
    """Return (administrator, one-time password); the password is "" when there was one already."""
    admin = User.objects.filter(is_superuser=True).order_by("pk").first()
    if admin is not None:
        return admin, ""
    host = settings.PUBLIC_ADDRESS.host if settings.PUBLIC_ADDRESS else "localhost"
    password = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
    address = normal_email(email or f"admin@{host}")
    if User.objects.filter(email=address).exists():
        raise CommandError(
            f"{address} already has an account. Choose another address with --email."
        )
    return User.objects.create_superuser(address, password, name=name), password


def welcome(admin: User) -> None:
    """Create a first public conversation, so that new people don't start with an empty page."""
    if Conversation.objects.exists():
        return
    conversation = actions.create_conversation(
        admin,
        name=_("Welcome"),
        topic=_("Say hello, ask anything"),
        access=Conversation.Access.OPEN,
    )
    sentences = [
        _("Welcome to Chatty! This conversation is public: anyone here can join."),
        _("The plus sign above the list starts a conversation, the pencil a direct message."),
    ]
    for number, sentence in enumerate(sentences):
        actions.send_message(admin, conversation.pk, key=f"welcome-{number}", body=sentence)
    actions.set_welcome(conversation.pk)
    create_setup_invitation(admin, conversation.pk)  # its link is shown in the conversation
