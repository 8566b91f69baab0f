"""Fits the equations of Lotka and Volterra to the numbers of hares and lynx from 1900 to 1920, with error bars and a page to open.

`python examples/python/hares_and_lynx.py [FOLDER]` needs the package `pullback` and nothing else.
"""

import sys
from pathlib import Path

import numpy as np

import pullback as pb

#: Pelts that the Hudson's Bay Company bought, in thousands, from 1900 on (Hewitt 1921).
HARES = [
    30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1,
    40.3, 57.0, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6, 16.2, 24.7,
]  # fmt: skip
LYNX = [
    4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4,
    8.0, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6,
]  # fmt: skip
NAMES = ["growth", "hunting", "gain", "death", "hares in 1900", "lynx in 1900", "noise"]


def rate(t, x, p):
    """Hares multiply and are eaten; lynx live on hares and die. It is called once, and then runs without Python."""
    hares, lynx = x
    growth, hunting, gain, death, *_ = p
    return [growth * hares - hunting * hares * lynx, gain * hares * lynx - death * lynx]


def main():
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out/hares_and_lynx")
    years = np.arange(21.0)
    model = pb.Dynamics(
        rate,
        years,
        parameters=NAMES,
        start=["hares in 1900", "lynx in 1900"],
        observe=lambda t, x, p: {"hares": x[0], "lynx": x[1]},
        noise=lambda t, x, p: {"hares": p[6], "lynx": p[6]},
    )
    table = {
        "observable": ["hares"] * 21 + ["lynx"] * 21,
        "time": [*years, *years],
        "value": HARES + LYNX,
    }
    likelihood = pb.likelihood(model, pb.Measurements(table), family="log_normal")
    start = [0.5, 0.03, 0.03, 0.8, 30.0, 4.0, 0.5]
    found = pb.minimize(model, likelihood, start, transforms="log")
    print(found)
    out.mkdir(parents=True, exist_ok=True)
    found.html(out / "report.html", title="Hares and lynx, 1900 to 1920", names=NAMES)
    print(f"\nThe page with pictures: {out / 'report.html'}")
    assert found.success


if __name__ == "__main__":
    main()
