"""Replaces systemctl where there is no systemd: starts and stops the units in a directory.

The units are read like systemd does, as far as Chatty's use it: Environment, UMask, ExecStart,
WorkingDirectory, StateDirectory with its mode, %i. Users and everything that needs a kernel under systemd
(ProtectSystem and the like) are left out. CHATTY_TEST_UNITS is the directory; its `run` contains process ids
and output. CHATTY_TEST_PATHS lists `from=to` pairs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path

UNITS = Path(os.environ["CHATTY_TEST_UNITS"])
PATHS = [pair.split("=", 1) for pair in os.environ.get("CHATTY_TEST_PATHS", "").split(";") if pair]
RUN = UNITS / "run"


def relocated(text: str) -> str:
    for old, new in PATHS:
        text = text.replace(old, new)
    return text


def read_unit(name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return (the [Service] section, its Environment) of `chatty` or `chatty@8000`."""
    base, at, instance = name.partition("@")
    path = UNITS / f"{base}{at}.service"
    dropin = UNITS / f"{base}{at}.service.d/override.conf"
    lines = path.read_text().splitlines()
    lines += dropin.read_text().splitlines() if dropin.exists() else []
    service: dict[str, str] = {}
    environment: dict[str, str] = {}
    for line in lines:
        key, equals, value = line.replace("%i", instance).partition("=")
        if not equals or line.startswith("#"):
            continue
        if key == "Environment":
            variable, _, content = value.partition("=")
            environment[variable] = content
        else:
            service[key] = relocated(value)
    return service, environment


def start(name: str) -> None:
    service, environment = read_unit(name)
    environment = {**os.environ, **environment}
    for variable, value in environment.items():
        if "${" + variable + "}" in service["ExecStart"]:
            service["ExecStart"] = service["ExecStart"].replace("${" + variable + "}", value)
    if "StateDirectory" in service:
        state = Path(relocated(f"/var/lib/{service['StateDirectory']}"))
        state.mkdir(parents=True, exist_ok=True)
        state.chmod(int(service.get("StateDirectoryMode", "0755"), 8))
    RUN.mkdir(exist_ok=True)
    with (RUN / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            service["ExecStart"].split(),
            cwd=service["WorkingDirectory"],
            env=environment,
            umask=int(service.get("UMask", "0022"), 8),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (RUN / f"{name}.pid").write_text(str(process.pid))


def stop(name: str) -> None:
    path = RUN / f"{name}.pid"
    if not path.exists():
        return
    pid = int(path.read_text())
    path.unlink()
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    deadline = time.monotonic() + int(read_unit(name)[0]["TimeoutStopSec"])
    while is_running(pid):
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            sys.exit(f"{name} did not stop in time")
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Return whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def main(command: str, *arguments: str) -> None:
    units = [argument for argument in arguments if not argument.startswith("-")]
    if any("*" in unit for unit in units):
        running = [path.stem for path in RUN.glob("*.pid")]
        units = [name for name in running if any(fnmatch(name, unit) for unit in units)]
    for unit in units:
        if command in {"stop", "restart"} or (command == "disable" and "--now" in arguments):
            stop(unit)
        if command in {"start", "restart"} or (command == "enable" and "--now" in arguments):
            start(unit)


if __name__ == "__main__":
    main(*sys.argv[1:])
