"""A headless Chromium, spoken to over its debugging pipe: JSON messages that end with a NUL byte."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ANSWER_TIMEOUT_SECONDS = 30
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)

# The browser reads from descriptor 3 and writes to 4; the pipes are moved away first, in case they stand there.
WITH_PIPES = """
import fcntl, os, sys
reads, writes = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(reads, 3)
os.dup2(writes, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def installed() -> str | None:
    """Return the path of a browser, or None on a machine that has none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install() -> str | None:
    """Install Debian's Chromium where that may be done: as root, in CI or when INSTALL_BROWSER=1 asks for it."""
    allowed = "true" in os.environ.get("CI", "") or os.environ.get("INSTALL_BROWSER") == "1"
    if allowed and os.geteuid() == 0 and shutil.which("apt-get"):
        apt_get = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300")
        for step in (
            ("update",),
            ("install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core"),
        ):
            subprocess.run(
                [*apt_get, *step], check=False, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
            )
    return installed()


class Page:
    """One tab; `problems` collects what the console and the network complained about."""

    def __init__(self, browser: "Browser", session: str):
        self.browser, self.session = browser, session
        self.problems: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.do(f"{domain}.enable")

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command to this tab and return its result."""
        return self.browser.do(method, self.session, **parameters)

    def look(self, width: int, height: int = 900, scheme: str = "light") -> None:
        """Choose the size of the window and the colour scheme."""
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def go(self, url: str) -> None:
        """Load an address and wait until it is there."""
        self.browser.loaded.discard(self.session)
        self.do("Page.navigate", url=url)
        self.wait_until_loaded()

    def wait_until_loaded(self) -> None:
        """Wait for the load event that follows a navigation."""
        self.browser.wait_for(lambda: self.session in self.browser.loaded)

    def press(self, selector: str) -> None:
        """Click upon an element with the mouse, as a reader does, and wait for the page that follows."""
        box = self.do("DOM.getBoxModel", nodeId=self._node(selector, scroll=True))["model"]["border"]
        x, y = (box[0] + box[4]) / 2, (box[1] + box[5]) / 2
        self.browser.loaded.discard(self.session)
        for kind in ("mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        self.wait_until_loaded()

    def fill(self, selector: str, text: str) -> None:
        """Type into a field, in the place of what stands there."""
        self.do("DOM.focus", nodeId=self._node(selector))
        for kind in ("keyDown", "keyUp"):
            self.do(
                "Input.dispatchKeyEvent", type=kind, key="a", code="KeyA", modifiers=2, commands=["selectAll"]
            )
        self.do("Input.insertText", text=text)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; runs beside the page's own scripts, also when those are off."""
        answer = self.do("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, file: Path) -> None:
        """Save the whole page as a PNG."""
        size = self.do("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 3000), "scale": 1}
        image = self.do("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(image))

    def _node(self, selector: str, *, scroll: bool = False) -> int:
        root = self.do("DOM.getDocument")["root"]["nodeId"]
        node: int = self.do("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        assert node, f"nothing on the page is {selector}"
        if scroll:
            self.do("DOM.scrollIntoViewIfNeeded", nodeId=node)
        return node


class Browser:
    """The process and its pipe; open it with `started`."""

    def __init__(self, process: subprocess.Popen[bytes], reads: int, writes: int):
        self.process, self.reads, self.writes = process, reads, writes
        self.pages: dict[str, Page] = {}
        self.loaded: set[str] = set()
        self._answers: dict[int, dict[str, Any]] = {}
        self._last_id, self._rest = 0, b""

    def do(self, method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self._last_id += 1
        number = self._last_id
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.writes, json.dumps(message).encode() + b"\0")
        self.wait_for(lambda: number in self._answers)
        answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def open_page(self) -> Page:
        """Open a tab with cookies of its own."""
        context = self.do("Target.createBrowserContext")["browserContextId"]
        target = self.do("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        self.pages[session] = page
        return page

    def wait_for(self, condition: Any) -> None:
        """Read messages until something holds."""
        deadline = time.monotonic() + ANSWER_TIMEOUT_SECONDS
        while not condition():
            left = deadline - time.monotonic()
            assert left > 0, "the browser did not answer"
            if select.select([self.reads], [], [], left)[0]:
                *messages, self._rest = (self._rest + os.read(self.reads, 1 << 20)).split(b"\0")
                for message in messages:
                    self._take(json.loads(message))

    def _take(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
            return
        session, parameters = message.get("sessionId", ""), message.get("params", {})
        page = self.pages.get(session)
        match message["method"]:
            case "Page.loadEventFired":
                self.loaded.add(session)
            case "Runtime.exceptionThrown" if page:
                page.problems.append(str(parameters["exceptionDetails"].get("text")))
            case "Runtime.consoleAPICalled" if page and parameters["type"] in ("error", "warning", "assert"):
                page.problems.append(str(parameters["args"]))
            case "Log.entryAdded" if page and parameters["entry"]["level"] in ("error", "warning"):
                page.problems.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")


@contextlib.contextmanager
def started(program: str, profile: Path) -> Iterator[Browser]:
    """Run a browser with a profile of its own until the block ends."""
    from_us, writes = os.pipe()
    reads, to_us = os.pipe()

    browser = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_PIPES, str(from_us), str(to_us), *browser],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(from_us, to_us),
    )
    os.close(from_us)
    os.close(to_us)
    try:
        yield Browser(process, reads, writes)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(reads)
        os.close(writes)
