"""Programs started by the fork server behave like those of a new Python."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fork_server import ForkedProcess, ForkServer
from tests.installations import eventually

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux only")

ENV = {"PATH": os.environ["PATH"], "ONLY": "this"}


@pytest.fixture(scope="module")
def forks():
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture
def run(forks: ForkServer, tmp_path: Path):
    """Start a script; return it and the file with its output."""

    def start(script: str, *arguments: str, **env: str) -> tuple[ForkedProcess, Path]:
        program, output = tmp_path / "program.py", tmp_path / "output"
        program.write_text(script)
        with output.open("wb") as file:
            return forks.start([str(program), *arguments], ENV | env, file), output

    return start


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("raise SystemExit('no')", 1),
        ("1 / 0", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", -9),
        ("import os; os._exit(7)", 7),
    ],
)
def test_exit_codes_match_python(run, script, code):
    process, _output = run(script)
    assert process.wait(10) == process.poll() == process.returncode == code


def test_program_gets_only_its_arguments_environment_and_directory(run):
    process, output = run(
        """
import json, os, sys
files = [f for f in map(int, os.listdir("/proc/self/fd")) if os.path.exists(f"/proc/self/fd/{f}")]
print(json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), files, __name__, os.getpid(),
    os.getsid(0), sys.stdin.read()]))
print("an error", file=sys.stderr)
""",
        "one",
        "two words",
        TZ="Asia/Tokyo",
    )
    assert process.wait(10) == 0
    error, written = output.read_text().splitlines()  # buffered until the end
    arguments, env, directory, files, name, pid, session, given = json.loads(written)
    assert arguments == ["one", "two words"]
    assert env == {**ENV, "TZ": "Asia/Tokyo"}
    assert directory == str(Path(__file__).resolve().parent.parent)
    assert sorted(files) == [0, 1, 2]
    assert (name, pid, session, given) == ("__main__", process.pid, process.pid, "")
    assert error == "an error"


def test_module_is_run_like_python_m(forks, tmp_path):
    output = tmp_path / "output"
    with output.open("wb") as file:
        process = forks.start(["-m", "json.tool", "--help"], ENV, file)
    assert process.wait(10) == 0
    assert output.read_text().startswith("usage: ")


def test_time_zone_and_buffering_follow_the_environment(run):
    script = "import time; print(time.strftime('%z'), flush=False); time.sleep(60)"
    process, output = run(script, TZ="Asia/Tokyo", PYTHONUNBUFFERED="1")
    try:
        eventually(lambda: output.read_text() == "+0900\n")
    finally:
        process.kill()
        process.wait(10)


def test_wait_times_out_and_signals_arrive(run):
    process, output = run(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(5))\n"
        "print('ready', flush=True)\ntime.sleep(60)"
    )
    eventually(lambda: output.read_text() == "ready\n")
    began = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)
    assert time.monotonic() - began < 5
    assert process.poll() is None
    process.terminate()
    assert process.wait(10) == 5
    process.kill()  # does nothing after its end


def test_process_group_can_be_killed(run):
    process, output = run(
        "import os, time\npid = os.fork()\nif pid: print(pid, flush=True)\ntime.sleep(60)"
    )
    eventually(lambda: output.read_text().endswith("\n"))
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait(10) == -9
    eventually(lambda: not _is_alive(int(output.read_text())))


def test_chatty_and_settings_are_not_loaded_before_the_program_starts(run):
    process, output = run(
        "import sys\nfrom django.conf import settings\n"
        "ours = [m for m in sys.modules if m.split('.')[0] in ('chatty', 'accounts', 'conversations')]\n"
        "print(ours, settings.configured, 'django' in sys.modules)"
    )
    assert process.wait(10) == 0
    assert output.read_text() == "[] False True\n"


def test_random_numbers_differ_between_programs(run):
    script = (
        "import random, secrets, uuid; print(random.random(), secrets.token_hex(), uuid.uuid4())"
    )
    drawn: set[str] = set()
    for _ in range(3):
        process, output = run(script)
        assert process.wait(10) == 0
        drawn |= set(output.read_text().split())
    assert len(drawn) == 9


def test_children_survive_the_fork_server(tmp_path):
    server = ForkServer()
    program, output = tmp_path / "program.py", tmp_path / "output"
    program.write_text("import time; print('on', flush=True); time.sleep(60)")
    with output.open("wb") as file:
        process = server.start([str(program)], ENV, file)
        eventually(lambda: output.read_text() == "on\n")
        server.close()
        try:
            assert _is_alive(process.pid)
            with pytest.raises(RuntimeError, match="has ended"):
                process.wait(5)
            with pytest.raises(OSError, match=r"closed|Bad file|Broken pipe"):
                server.start([str(program)], ENV, file)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_import_error_is_reported_like_python(run, tmp_path):
    process, output = run("import no_such_module")
    assert process.wait(10) == 1
    expected = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")], capture_output=True, text=True, check=False
    )
    assert output.read_text().splitlines()[-1] == expected.stderr.splitlines()[-1]
