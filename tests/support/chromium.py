"""Pages in headless Chromium: one start of the browser for all of them."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

__all__ = ["CHROMIUM", "overflowing", "run_in_pages"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
"""The browser; None where it is not installed."""

QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-file-access-from-files",
    "--dump-dom",
)
SECONDS = 120


def run_in_pages(pages: Sequence[tuple[Path, int]], script: str, folder: Path) -> list[object]:
    """Load pages in frames and return what a script returns for each.

    Parameters
    ----------
    pages : sequence of tuple of Path and int
        Pages, and the widths of their frames in pixels.
    script : str
        Statements of JavaScript; ``page`` is the document of a frame. What they return must be JSON.
    folder : Path
        For the page with the frames, and the profile of the browser.
    """
    assert CHROMIUM is not None
    frames = "\n".join(
        f'<iframe src="{html.escape(page.resolve().as_uri())}" width="{width}" height="700" style="border: 0"></iframe>'
        for page, width in pages
    )
    collect = f"""
        const ask = (page) => {{ {script} }};
        addEventListener("load", () => {{
            const answers = [...document.querySelectorAll("iframe")].map((frame) => ask(frame.contentDocument));
            document.body.textContent = "ANSWERS" + JSON.stringify(answers) + "END";
        }});
    """
    parent = folder / "frames.html"
    parent.write_text(f"<!DOCTYPE html><body>{frames}<script>{collect}</script></body>", encoding="utf-8")
    command = [CHROMIUM, *QUIET, f"--user-data-dir={folder / 'profile'}", parent.resolve().as_uri()]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    found = re.search("ANSWERS(.*)END", ran.stdout, re.DOTALL)
    assert found, ran.stderr
    answers: list[object] = json.loads(html.unescape(found[1]))
    return answers


def overflowing(pages: Sequence[tuple[Path, int]], folder: Path) -> list[str]:
    """Name the pages that scroll sideways at their widths, with the widths of their content."""
    widths = run_in_pages(pages, "return page.documentElement.scrollWidth;", folder)
    return [
        f"{page.parent.name}/{page.name} at {width} px: {content} px"
        for (page, width), content in zip(pages, widths, strict=True)
        if not isinstance(content, int) or content > width
    ]
