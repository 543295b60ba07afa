"""Fields as small PNG images with a palette: rain in classes, probabilities in steps, missing pixels hatched."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from jaxtyping import Bool, Float32, UInt8

RATES = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)  # mm/h, lower ends of the classes
RATE_COLORS = ("#c6dbef", "#7fb3dc", "#3f85c4", "#1a4f95", "#f4c84a", "#e8743b", "#9c1127")
CHANCES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
CHANCE_COLORS = (
    *("#e6f0f4", "#cbe3e6", "#a5d1d4", "#79bcc4", "#4ea4b6", "#2f89a6", "#256d94", "#25517f", "#263666", "#241d4a"),
)
_HATCH = ("#c9c9c4", "#a9a9a3")
MOST_PIXELS = 320  # along an edge of an image


def rate_image(rates: Float32[np.ndarray, "y x"], missing: Bool[np.ndarray, "y x"]) -> str:
    """A data URI of rain in classes; dry pixels are transparent."""
    return _image(rates, missing, RATES, RATE_COLORS)


def chance_image(chances: Float32[np.ndarray, "y x"], missing: Bool[np.ndarray, "y x"]) -> str:
    """A data URI of probabilities in steps; below 5 % transparent."""
    return _image(chances, missing, CHANCES, CHANCE_COLORS)


def coarse(fields: Float32[np.ndarray, "fields y x"]) -> Float32[np.ndarray, "fields rows columns"]:
    """Every n-th pixel, so that no edge is longer than :data:`MOST_PIXELS`."""
    step = -(-max(fields.shape[1:]) // MOST_PIXELS)
    return np.ascontiguousarray(fields[:, ::step, ::step])


def _image(values: np.ndarray, missing: np.ndarray, edges: tuple[float, ...], colors: tuple[str, ...]) -> str:
    classes = np.digitize(values, edges).astype(np.uint8)  # 0: below the first
    rows, columns = np.indices(values.shape)
    hatched = np.where((rows + columns) % 4 == 0, len(colors) + 2, len(colors) + 1)
    palette = [(0, 0, 0, 0), *(_rgba(one) for one in (*colors, *_HATCH))]
    return "data:image/png;base64," + base64.b64encode(
        _png(np.where(missing, hatched, classes).astype(np.uint8), palette)
    ).decode("ascii")


def _rgba(color: str) -> tuple[int, int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16), 255


def _png(indices: UInt8[np.ndarray, "y x"], palette: list[tuple[int, int, int, int]]) -> bytes:
    """An indexed PNG (W3C 2003): header, palette, transparency, one compressed block of rows."""
    height, width = indices.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each begins with its filter: none
    rows[:, 1:] = indices
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0),
        b"PLTE": b"".join(bytes(one[:3]) for one in palette),
        b"tRNS": bytes(one[3] for one in palette),
        b"IDAT": zlib.compress(rows.tobytes(), 9),
        b"IEND": b"",
    }
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)
