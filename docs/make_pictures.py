"""Make the pictures of the README and of the documentation: ``python docs/make_pictures.py`` (needs Chromium).

Writes docs/img/: ``forecast.png`` is drawn by matplotlib; ``report.png``, ``report-dark.png`` and ``report-phone.png``
are screenshots of the page that ``gatecast demo`` writes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import matplotlib

from gatecast import LSTMForecaster, datasets
from gatecast.cli import main as gatecast

sys.path.insert(1, str(Path(__file__).parents[1] / "tests"))
from fixtures.chromium import DARK, visit

IMG = Path(__file__).parent / "img"


def forecast_picture() -> None:
    """Air passengers, two years ahead."""
    matplotlib.use("Agg")
    panel = datasets.load("air_passengers")
    axes = LSTMForecaster(24).fit(panel).predict(24).plot(history=84)
    axes.set_title("Air passengers, thousands a month: the next 24 months", loc="left", fontweight="bold")
    axes.figure.savefig(IMG / "forecast.png", dpi=160)
    _small(IMG / "forecast.png", 2000)


def report(folder: Path) -> Path:
    """The page that the command ``gatecast demo`` writes."""
    if code := gatecast(["demo", "--quiet", "--out", str(folder)]):
        raise SystemExit(f"gatecast demo ended with {code}")
    return folder / "report.html"


def screenshot(page: Path, name: str, size: tuple[int, int], *flags: str) -> None:
    """One picture of the head of a page, at two pixels a point."""
    scale = [f"--window-size={size[0]},{size[1]}", "--force-device-scale-factor=2"]
    visit(page, *flags, f"--screenshot={IMG / name}", *scale)
    _small(IMG / name, 2 * size[0])


def _small(path: Path, width: int) -> None:
    """Crop to this width and reduce to 256 colours: a third of the size, without a visible difference."""
    from PIL import Image

    with Image.open(path) as picture:
        part = picture.crop((0, 0, min(width, picture.width), picture.height)).convert("RGB").quantize(256)
    part.save(path, optimize=True)


def main() -> None:
    """All pictures."""
    IMG.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        page = report(Path(folder) / "forecast")
        screenshot(page, "report.png", (1200, 1000))
        screenshot(page, "report-dark.png", (1200, 1000), DARK)
        frame = page.with_name("phone.html")  # a window cannot be as narrow as a phone, a frame can
        style = "margin:0;border:0;width:390px;height:844px"
        frame.write_text(f'<body style="margin:0"><iframe src="{page.name}" style="{style}"></iframe>', "utf-8")
        screenshot(frame, "report-phone.png", (500, 844))
        _small(IMG / "report-phone.png", 2 * 390)
    forecast_picture()


if __name__ == "__main__":
    main()
