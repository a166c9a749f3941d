"""`python -m benchmarks` measures and prints Markdown. See README.md here."""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import targets
from benchmarks.bench import Bench
from benchmarks.scenarios import SCENARIOS
from benchmarks.site import DURABLE, HERE, LIMITS, Site
from tests.installations import ROOT


def main(arguments: list[str]) -> int:
    options = parsed(arguments)
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(143)
    )  # exits by SystemExit, so that all servers are stopped
    raise_open_files()
    about = circumstances() | {"rounds": options.rounds, "quick": options.quick}
    if options.against:
        about["against"] = commit(options.against)
    with Site(hurried=options.quick, against=options.against) as site:
        about["versions"]["PostgreSQL"] = postgres_version(site)
        bench = Bench(
            site,
            options.rounds,
            quick=options.quick,
            full=options.full,
            alone=options.alone,
        )
        print(heading(about, bench))
        for name in options.only:
            SCENARIOS[name](bench)
            print(f"\n{bench.sheet.as_markdown(fresh=True)}", flush=True)
            about["load_after"] = os.getloadavg()
            if options.json:  # after each scenario, so that an interrupted run keeps its figures
                options.json.write_text(json.dumps(about | results(bench), indent=2) + "\n")
        print(f"\n{targets.as_markdown(bench.sheet, quick=bench.quick)}")
    print(f"\nLoad average at the end: {os.getloadavg()[0]:.1f}")
    for name, what in bench.absent.items():
        print(f"Skipped {name}: requires {what}.")
    return 0


def results(bench: Bench) -> dict[str, Any]:
    return {
        "absent": bench.absent,
        "targets": targets.as_json(bench.sheet, quick=bench.quick),
        "figures": bench.sheet.as_json(),
    }


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure the cost of Chatty."
    )
    parser.add_argument("--rounds", type=int, default=7, help="Rounds for the medians. Default: 7.")
    parser.add_argument(
        "--only",
        type=lambda text: text.split(","),
        default=list(SCENARIOS),
        metavar="NAME,...",
        help=f"Some of: {', '.join(SCENARIOS)}.",
    )
    parser.add_argument("--full", action="store_true", help="Also a history of 1,000,000 messages.")
    parser.add_argument("--alone", action="store_true", help="Measure only Chatty.")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="Small runs, to test the benchmarks. The figures mean nothing.",
    )
    parser.add_argument(
        "--against",
        type=Path,
        metavar="DIRECTORY",
        help="Another checkout of Chatty to compare with this one.",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="Write all values of all rounds.")
    options = parser.parse_args(arguments)
    if unknown := set(options.only) - set(SCENARIOS):
        parser.error(f"Unknown scenario: {', '.join(sorted(unknown))}.")
    if options.rounds < 1:
        parser.error("--rounds should be at least 1.")
    if options.against:
        options.against = options.against.resolve()
        if not (options.against / "manage.py").is_file():
            parser.error(f"No Chatty checkout in {options.against}.")
        if not (options.against / ".venv/bin/python").exists():
            parser.error(f"Run `make install` in {options.against} first.")
    return options


def raise_open_files() -> None:
    """Raise the limit: both ends of thousands of sockets are here. Servers inherit it."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def circumstances() -> dict[str, Any]:
    """Return machine, versions and limits. Figures are meaningless without them."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = {name: version(name) for name in ("Django", "channels", "daphne", "uvicorn")}
    versions["Python"] = platform.python_version()
    if node := shutil.which("node"):
        versions["Node"] = said_by(node, "--version")
        packages = json.loads((HERE / "peers/socketio/package.json").read_text())["dependencies"]
        versions["socket.io"] = packages["socket.io"]
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, Linux {platform.release()}",
        "commit": commit(),
        "versions": versions,
        "limits": {**LIMITS, **DURABLE},
        "load_before": os.getloadavg(),
    }


def commit(checkout: Path = ROOT) -> str:
    git = ("git", "-C", str(checkout))
    try:
        changed = said_by(*git, "status", "--porcelain", "--untracked-files=no")
        return said_by(*git, "rev-parse", "--short=12", "HEAD") + (
            " and changes" if changed else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def said_by(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def postgres_version(site: Site) -> str:
    with psycopg.connect(site.postgres.url) as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else "unknown"


def heading(about: dict[str, Any], bench: Bench) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    limits = ", ".join(f"{name}={value}" for name, value in about["limits"].items())
    lines = [
        f"- {about['date']}, commit {about['commit']}, medians of {bench.rounds} rounds",
        f"- {about['machine']}; load average at the start: {about['load_before'][0]:.1f}",
        f"- {versions}",
        *([f"- the other checkout: commit {about['against']}"] if "against" in about else []),
        f"- raised limits and database settings: {limits}",
    ]
    if bench.quick:
        lines.append("- **quick**: these figures mean nothing")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
