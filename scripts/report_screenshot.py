"""Make docs/images/report.png again: the report of the demo, its answer in light and its grid of pictures in dark.

    python scripts/report_screenshot.py report.html

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


def main(report: Path) -> None:
    """Take both pictures and put them side by side."""
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
    main(Path(sys.argv[1]))
