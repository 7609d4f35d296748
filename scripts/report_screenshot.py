"""Make pictures of reports for the documentation again, in docs/images/.

    python scripts/report_screenshot.py report.html         the demo's answer in light and its grid in dark: report.png
    python scripts/report_screenshot.py report.html flip    two methods in one place, enlarged: flip.png
    python scripts/report_screenshot.py report.html steps   checkpoints over the step: steps.png

Needs a browser and playwright (`make test` sees to both).
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from browser import launch
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
SIZE = {"width": 1180, "height": 935}
SETTLED = 800  # milliseconds until the pictures that came into view are there


def main(report: Path, part: str = "") -> None:
    """Take what is asked for."""
    if part:
        _part(report, part)
    else:
        _answer_and_grid(report)


def _part(report: Path, part: str) -> None:
    with sync_playwright() as playwright:
        browser = launch(playwright)
        page = browser.new_page(color_scheme="light", viewport=SIZE)
        page.goto(report.resolve().as_uri())
        if part == "flip":
            page.locator("#grid .rows .cell").nth(1).click()
            page.locator("#enlarged input[type=range]").fill("50")
            page.wait_for_timeout(SETTLED)
            shot = page.locator("#enlarged").screenshot()
        else:
            shot = page.locator(f"#{part}").screenshot()
        browser.close()
    _of_few_colours(Image.open(io.BytesIO(shot)).convert("RGB")).save(
        ROOT / "docs" / "images" / f"{part}.png", optimize=True
    )


def _answer_and_grid(report: Path) -> None:
    """Both pictures side by side."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        halves = []
        for scheme in ("light", "dark"):
            page = browser.new_page(color_scheme=scheme, viewport=SIZE)
            page.goto(report.resolve().as_uri())
            if scheme == "dark":
                page.locator("#side").evaluate(
                    "side => scrollBy({ top: side.getBoundingClientRect().top - 140, behavior: 'instant' })"
                )
            page.wait_for_timeout(SETTLED)
            halves.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
        browser.close()
    both = Image.new("RGB", (2 * SIZE["width"], SIZE["height"]))
    for place, half in enumerate(halves):
        both.paste(half, (place * SIZE["width"], 0))
    _of_few_colours(both).save(ROOT / "docs" / "images" / "report.png", optimize=True)


def _of_few_colours(picture: Image.Image) -> Image.Image:
    """The picture with 256 colours, for a small file: those of the page, which are its most frequent, exactly."""
    counted = sorted(picture.getcolors(picture.width * picture.height), reverse=True)
    of_page = [level for _, colour in counted[:128] for level in colour]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*of_page, *picture.quantize(128).getpalette()[: 3 * 128]])
    return picture.quantize(palette=palette)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
