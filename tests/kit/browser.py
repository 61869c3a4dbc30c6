"""A real browser for the tests of the page: Debian's chromium and chromedriver, or Chrome's, through selenium.

Where there is none, tests that need one are skipped; with GOALLOC_BROWSER=require, as in CI, they fail.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SECONDS = 20
AXE = "axe_playwright_python"
"""A wheel that holds axe.min.js, and whose code is not used."""


def missing() -> str:
    """What is not there; "" where all is."""
    if importlib.util.find_spec("selenium") is None:
        return "selenium (pip install 'goalloc[browser]')"
    if not any(shutil.which(name) for name in BROWSERS):
        return "chromium (apt-get install chromium chromium-driver)"
    return "" if shutil.which("chromedriver") else "chromedriver (apt-get install chromium-driver)"


def needed() -> None:
    """Skip where there is no browser; fail where one is required."""
    if what := missing():
        if os.environ.get("GOALLOC_BROWSER") == "require":
            pytest.fail(f"GOALLOC_BROWSER=require, and there is no {what}")
        pytest.skip(f"there is no {what}")


def axe() -> str | None:
    """The text of axe.min.js, None where it is not installed."""
    found = importlib.util.find_spec(AXE)
    places = [] if found is None else [Path(place) / "axe.min.js" for place in found.submodule_search_locations or ()]
    return next((place.read_text() for place in places if place.exists()), None)


class Browser:
    """One browser; `open` begins anew."""

    def __init__(self) -> None:
        os.environ.setdefault("SE_OFFLINE", "true")
        os.environ.setdefault("SE_AVOID_STATS", "true")
        from selenium import webdriver
        from selenium.webdriver.chrome.options import Options
        from selenium.webdriver.chrome.service import Service

        options = Options()
        options.binary_location = next(found for name in BROWSERS if (found := shutil.which(name)))
        for argument in ("--headless=new", "--disable-dev-shm-usage", "--hide-scrollbars", *NO_SANDBOX):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_script_timeout(6 * SECONDS)
        self.tell("Network.enable")
        self.tell("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)

    def tell(self, command: str, **arguments: Any) -> Any:
        """A command of Chrome's own protocol."""
        return self.driver.execute_cdp_cmd(command, arguments)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a piece of JavaScript returns; it comes from outside, no policy of the page stops it."""
        return self.driver.execute_script(script, *arguments)

    def open(self, path: Path, *, width: int = 1280, theme: str = "light", script: bool = True, fragment: str = "") -> None:
        """Load a page from its file."""
        self.driver.get("about:blank")
        self.requests(), self.console()
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 500)
        # A click meets no page that still scrolls.
        wishes = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
        self.tell("Emulation.setEmulatedMedia", features=[{"name": k, "value": v} for k, v in wishes.items()])
        self.tell("Emulation.setScriptExecutionDisabled", value=not script)
        self.driver.get(path.resolve().as_uri() + fragment)
        if script:
            self.wait("return document.documentElement.dataset.ready === '1'")
        self.tell("Emulation.setScriptExecutionDisabled", value=False)

    def wait(self, condition: str) -> None:
        """Until a piece of JavaScript returns what is true."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, SECONDS, 0.02).until(lambda _: self.run(condition))

    def requests(self) -> list[str]:
        """Addresses that were asked for since this was last called, but for those of data."""
        told = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [one["params"]["request"]["url"] for one in told if one["method"] == "Network.requestWillBeSent"]
        return [url for url in sent if not url.startswith(("data:", "about:"))]

    def console(self) -> list[str]:
        """What the page wrote to the console since this was last called."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def text(self, selector: str) -> str:
        """The text of the first element, as it is shown."""
        return str(self.driver.find_element("css selector", selector).text)

    def click(self, selector: str) -> None:
        self.driver.find_element("css selector", selector).click()

    def press(self, selector: str, *keys: str) -> None:
        """Press keys while an element has the focus."""
        element = self.driver.find_element("css selector", selector)
        for key in keys:
            element.send_keys(key)

    def picture(self, path: Path) -> None:
        """The whole page as a PNG."""
        data = self.tell("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def printed(self) -> bytes:
        """The page on paper, as a PDF."""
        return base64.b64decode(self.tell("Page.printToPDF", printBackground=True)["data"])

    def violations(self, rules: str) -> tuple[list[str], list[str]]:
        """What axe finds: violations, and what it cannot tell, a line each."""
        self.run(rules)
        found = self.driver.execute_async_script(
            "axe.run(document).then(found => arguments[arguments.length - 1]("
            "[found.violations, found.incomplete].map(all => all.flatMap("
            "one => one.nodes.map(node => one.id + ': ' + node.html.slice(0, 100) + ' ' + (node.any[0] || {}).message)))))"
        )
        return found[0], found[1]


NO_SANDBOX = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser for many tests."""
    found = Browser()
    try:
        yield found
    finally:
        found.driver.quit()
