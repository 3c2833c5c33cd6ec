"""``./dev run``: servers, web, workers and schedule as one program in the foreground.

Ctrl-C, SIGTERM and SIGHUP stop everything in order; after kill -9 of this process the kernel
sends every child its stop signal. A child that dies is started again, later each time it does.
"""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from config.embedded import checkout, cosigners, migrations, process
from config.embedded.migrations import PROJECT
from config.embedded.pair import Pair

_BACK_OFF_MAX_SECONDS = 30.0
_HEALTHY_SECONDS = 60.0
_DEFAULT_PORT = 8000
_FEED_PORT_ABOVE = 100


class Stopped(BaseException):
    """A signal asked the program to stop; not an error, so nothing may swallow it."""


@dataclass
class Program:
    """One child process and when to start it again."""

    name: str
    argv: Sequence[str | Path]
    log: Path
    child: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    back_off_seconds: float = field(default=0.5)

    def keep_running(self, now: float) -> None:
        """Start the child when it does not run and its back-off is over."""
        if self.child is not None:
            status = self.child.poll()
            if status is None:
                return
            process.kill_session(self.child)
            self.child = None
            self._back_off(status, now)
        if now >= self.start_again_at:
            self.child = process.spawn(
                self.argv, stop_signal=signal.SIGTERM, log=self.log, cwd=PROJECT
            )
            self.started_at = now

    def ask_to_stop(self) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.terminate()

    def stop(self, *, patience_seconds: float) -> None:
        if self.child is not None:
            process.stop(self.child, stop_signal=signal.SIGTERM, patience_seconds=patience_seconds)

    def _back_off(self, status: int, now: float) -> None:
        if now - self.started_at > _HEALTHY_SECONDS:
            self.back_off_seconds = 0.5
        _say(
            f"{self.name} stopped (status {status}, see {self.log});"
            f" starting it again in {self.back_off_seconds:.1f} s"
        )
        self.start_again_at = now + self.back_off_seconds
        self.back_off_seconds = min(self.back_off_seconds * 2, _BACK_OFF_MAX_SECONDS)


def main() -> int:
    """Run everything until a signal says stop."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Started with nohup, a closed terminal is no reason to stop.
        if signal.getsignal(number) is not signal.SIG_IGN or number is signal.SIGINT:
            signal.signal(number, _stop)
    try:
        _run(checkout.state_folder(), _choose_port())
    except Stopped:
        _say("stopped; nothing is left running")
    return 0


def _run(state: Path, port: int) -> None:
    address = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        pair: Pair | None = None
        checkout.ensure_secret_key(state)
        if checkout.uses_own_servers():
            if os.environ.get("DATABASE_OWNER_URL"):
                migrations.migrate()
        else:
            _say("starting PostgreSQL and Valkey")
            pair = Pair(state)
            stack.enter_context(checkout.hold_servers(state, pair, address=address))
        feed_port = port + _FEED_PORT_ABOVE
        # The demo's bike operator serves on this machine, where a city's hall fetches nothing.
        os.environ.setdefault("HELIOPOLIS_FETCH_LOOPBACK", "1")
        os.environ.setdefault("HELIOPOLIS_URL", address)
        os.environ["HELIOPOLIS_DEMO_FEED"] = f"http://127.0.0.1:{feed_port}"
        feed = _feed(state, feed_port)
        stack.callback(_stop_programs, [feed])
        feed.keep_running(time.monotonic())
        _run_to_end(stack, "demo")
        # Whoever names a policy has cosigners of their own.
        is_trial = not os.environ.get("HELIOPOLIS_LOG_POLICY")
        if is_trial:
            _run_to_end(stack, "trial_cosigners", address)
        programs = _programs(state, port, is_trial=is_trial)
        stack.callback(_stop_programs, programs)
        programs.append(feed)
        for program in programs:
            program.keep_running(time.monotonic())
        _wait_for_health(address, programs, pair)
        if is_trial:
            print(f"\n{cosigners.NOTE}\nThe log: {address}/log/", flush=True)
        print(f"\nHeliopolis is at {address}   (Ctrl-C stops)", flush=True)
        while True:
            _keep_running(programs, pair)
            time.sleep(0.2)


def _run_to_end(stack: ExitStack, *words: str) -> None:
    """Run a command of the set-up: ``demo`` makes the city at the first start, later nothing."""
    child = process.spawn_in_view([sys.executable, "manage.py", *words], cwd=PROJECT)
    stack.callback(process.stop, child, stop_signal=signal.SIGTERM, patience_seconds=10)
    if child.wait() != 0:
        raise SystemExit(f"the set-up failed (manage.py {words[0]}); see above")


def _programs(state: Path, port: int, *, is_trial: bool) -> list[Program]:
    python, logs = sys.executable, state / "log"
    celery = [python, "-m", "celery", "--app=config.celery"]
    quiet = ["--without-mingle", "--without-gossip"]
    argv: dict[str, list[str | Path]] = {
        "web": [
            *(python, "-m", "gunicorn", "config.wsgi", f"--bind=127.0.0.1:{port}"),
            *("--worker-class=gthread", "--workers=2", "--threads=4", "--no-control-socket"),
        ],
        "worker": [*celery, "worker", "--concurrency=2", "--loglevel=WARNING", *quiet],
        "data-worker": [
            *(*celery, "worker", "--queues=data", "--hostname=data@%h", "--concurrency=2"),
            *("--loglevel=WARNING", *quiet),
        ],
        "schedule": [
            *celery,
            *("beat", "--loglevel=WARNING", "--pidfile=", f"--schedule={state / 'schedule'}"),
        ],
        "settlement": [python, "manage.py", "settlement_worker"],
        "publisher": [python, "manage.py", "publish_log"],
        **(cosigners.commands(state) if is_trial else {}),
    }
    return [Program(name, command, logs / f"{name}.log") for name, command in argv.items()]


def _feed(state: Path, port: int) -> Program:
    """Return the server of the demo's bike operator."""
    stations = PROJECT / "fixtures" / "bike_stations_synthetic.csv"
    argv = (sys.executable, "-m", "config.embedded.demo_feed", str(port), stations)
    return Program("feed", argv, state / "log" / "feed.log")


def _keep_running(programs: Sequence[Program], pair: Pair | None) -> None:
    if pair is not None:
        # On their first ports: every child knows the servers by their addresses.
        for name, server in (("PostgreSQL", pair.postgres), ("Valkey", pair.valkey)):
            if not server.is_running:
                _say(f"{name} stopped (see {server.log}); starting it again")
                server.start()
    now = time.monotonic()
    for program in programs:
        program.keep_running(now)


def _wait_for_health(address: str, programs: Sequence[Program], pair: Pair | None) -> None:
    give_up_at = time.monotonic() + 90
    # Never through a proxy, and as a name the server answers to.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    host = os.environ.get("HELIOPOLIS_HOSTS", "127.0.0.1").split(",")[0]
    headers = {"Host": host, "X-Forwarded-Proto": "https"}
    url = f"{address}/healthz"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own http address
    while True:
        _keep_running(programs, pair)
        try:
            with opener.open(request, timeout=5):
                return
        except (urllib.error.URLError, OSError) as error:
            if time.monotonic() > give_up_at:
                raise SystemExit(
                    f"the web server does not answer ({error}); {programs[0].log} ends:\n"
                    + process.last_lines(programs[0].log)
                ) from error
        time.sleep(0.2)


def _stop_programs(programs: Sequence[Program]) -> None:
    for program in programs:
        program.ask_to_stop()
    for program in programs:
        program.stop(patience_seconds=20)


def _choose_port() -> int:
    chosen = os.environ.get("PORT", "")
    if chosen and not (chosen.isdecimal() and 0 < int(chosen) < 65536):
        raise SystemExit(f"PORT={chosen} is not a port: choose a number from 1 to 65535")
    port = int(chosen) if chosen else _DEFAULT_PORT
    if not process.is_port_free(port):
        raise SystemExit(
            f"port {port} is in use: choose another one, for example PORT={port + 1} ./dev run"
        )
    return port


def _stop(number: int, frame: FrameType | None) -> None:
    # Once: a second signal must not interrupt the orderly end.
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, _already_stopping)
    raise Stopped


def _already_stopping(number: int, frame: FrameType | None) -> None:
    _say("already stopping")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
