"""The server under test: its command is SERVER, by default target/debug/server-axum."""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parents[3]
COMMAND = shlex.split(os.environ.get("SERVER", str(ROOT / "target/debug/server-axum")))
PING_TIMEOUT = 6


class Server:
    """Contract `app`, for as long as a module's tests run."""

    def __init__(self, ping_interval=2):
        self.ping_interval = ping_interval

    def silence(self):
        """Longer than any heartbeat may take."""
        return 2 * self.ping_interval + PING_TIMEOUT + 1

    def start(self):
        if shutil.which(COMMAND[0]) is None:
            raise RuntimeError(f"{COMMAND[0]} is missing: build it with cargo, or set SERVER to the server's command")
        timing = {"PING_INTERVAL_MS": f"{self.ping_interval}000", "PING_TIMEOUT_MS": f"{PING_TIMEOUT}000"}
        self.process = subprocess.Popen(
            [*COMMAND, "--contract", "app", "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **timing},
            text=True,
        )
        watchdog = threading.Timer(20, self.process.kill)
        watchdog.start()
        for line in self.process.stdout:
            if found := re.search(r"listening on (http://127\.0\.0\.1:\d+)", line):
                watchdog.cancel()
                self.url = found.group(1)
                return
        raise RuntimeError("the server ended, or was ended, before it listened")

    def stop(self):
        died = self.process.poll()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        if died is not None:
            raise RuntimeError(f"the server died during the tests (exit code {died})")
