"""Tests on real servers that messages are not lost, duplicated, reordered or shown to the wrong people."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from proof.history import KINDS
from proof.installation import InstallationError
from proof.sabotage import SABOTAGES
from proof.services import MissingServiceError
from proof.trial import Plan, Progress, Verdict, run_trial

_NAMES = {"sqlite": "SQLite", "postgres": "PostgreSQL and Redis"}
_OVERHEAD_SECONDS = 12.0  # of each trial: starting, settling, checking
_SHOWN = 5  # further counter-examples in the output


class Command(BaseCommand):
    help = (
        "Send messages with many clients through real servers while servers, Redis, PostgreSQL and "
        "connections are killed. Then check that every message reached all members exactly once and "
        "in order, and no one else. Uses a temporary installation and doesn't touch yours."
    )
    requires_system_checks = []  # it creates its own installation and doesn't use this one

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--seed", type=int, default=None, help="Seed of the random numbers. Default: random.")
        add("--minutes", type=float, default=2.0, help="Total duration. Default: 2.")
        add("--only", choices=tuple(_NAMES), help="Test only this installation. Default: both.")
        add(
            "--server",
            choices=("serve", "daphne"),
            default="serve",
            help="Server to test. Default: serve.",
        )
        add("--clients", type=int, default=16, help="Number of clients. Default: 16.")
        add("--postgres-url", default="", help="Create the temporary database on this server.")
        add("--redis-url", default="", help="Use this Redis. It is emptied.")
        add(
            "--sabotage",
            choices=SABOTAGES,
            help="Add this fault to the servers. The proof must then fail, except with lose-wake-up.",
        )

    def handle(self, *args: Any, only: str | None, **options: Any) -> None:
        if not 3 <= options["clients"] <= 200:
            raise CommandError("--clients must be between 3 and 200.")
        if not 0 < options["minutes"] <= 24 * 60:
            raise CommandError("--minutes must be more than 0 and at most a day (1440).")
        seed = options["seed"] if options["seed"] is not None else random.randrange(10**6)  # noqa: S311
        kinds = [only] if only else list(_NAMES)
        seconds = max(3.0, options["minutes"] * 60 / len(kinds) - _OVERHEAD_SECONDS)
        total: Counter[str] = Counter()
        first = ""
        for kind in kinds:
            plan = Plan(
                kind=kind,
                seed=seed,
                seconds=seconds,
                clients=options["clients"],
                server=options["server"],
                sabotage=options["sabotage"] or "",
                postgres_url=options["postgres_url"],
                redis_url=options["redis_url"],
            )
            verdict = self.tried(plan)
            self.report(plan, verdict)
            total += verdict.by_kind
            if verdict.findings and not first:
                first = self.counter_example(plan, verdict)
        line = " ".join(f"{kind} {total[kind]}" for kind in KINDS)
        if first:
            raise CommandError(f"{line}\n{first}")
        self.stdout.write(line)

    def tried(self, plan: Plan) -> Verdict:
        try:
            with shown_progress(plan) as progress, contextlib.suppress(KeyboardInterrupt):
                return asyncio.run(run_until_interrupted(plan, progress))
        except (InstallationError, MissingServiceError) as error:
            raise CommandError(str(error)) from None
        raise CommandError(
            "Stopped. All temporary files and processes have been removed.", returncode=130
        )

    def report(self, plan: Plan, verdict: Verdict) -> None:
        outcomes = ", ".join(f"{verdict.outcomes[o]:,} {o}" for o in ("ok", "failed", "unknown"))
        settled = "clients did not catch up"
        if verdict.settled is not None:
            settled = f"all caught up {verdict.settled:.1f} s after the last fault"
        self.stdout.write(
            f"{_NAMES[plan.kind]}, {plan.server}, seed {plan.seed}: "
            f"{verdict.outcomes.total():,} operations ({outcomes}), "
            f"{verdict.seen:,} message versions received; {settled}."
        )
        counts = sorted(verdict.counts.items())
        self.stdout.write("  " + ", ".join(f"{name} {number:,}" for name, number in counts))
        if verdict.errors:
            self.stdout.write(f"  {len(verdict.errors)} error(s) in the servers' logs:")
            for error in verdict.errors[:_SHOWN]:
                self.stdout.write(f"  {error}")

    def counter_example(self, plan: Plan, verdict: Verdict) -> str:
        first, *others = verdict.findings
        lines = [f"{first.kind}: {first.text}"]
        lines += [f"  also {each.kind}: {each.text}" for each in others[:_SHOWN]]
        again = f"--seed {plan.seed} --only {plan.kind} --server {plan.server}"
        if plan.sabotage:
            again += f" --sabotage {plan.sabotage}"
        lines.append(f"To repeat: manage.py prove_delivery {again} --clients {plan.clients}")
        return "\n".join(lines)


async def run_until_interrupted(plan: Plan, progress: Progress) -> Verdict:
    """Run a trial. Treats SIGTERM like Ctrl+C, so that the servers it started are stopped."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await run_trial(plan, progress)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


@contextlib.contextmanager
def shown_progress(plan: Plan) -> Any:
    """Show a progress bar of the trial's seconds. Without a terminal, nothing is shown."""
    total = round(plan.seconds)
    form = "{desc}: {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} s{postfix}"
    with tqdm(total=total, bar_format=form, disable=None, leave=False) as bar:

        def progress(stage: str, seconds: float, counts: Counter[str]) -> None:
            bar.set_description_str(f"{_NAMES[plan.kind]}, {stage}", refresh=False)
            bar.set_postfix_str(f"{counts['say']:,} sent", refresh=False)
            bar.n = min(total, round(seconds))
            bar.refresh()

        yield progress
