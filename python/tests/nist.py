"""Formulas of the NIST Statistical Reference Datasets for nonlinear regression, written with NumPy."""

import numpy as np


def quotient(x, top, bottom):
    return polynomial(x, top) / (1.0 + x * polynomial(x, bottom))


def polynomial(x, coefficients):
    total = 0.0
    for c in reversed(coefficients):
        total = total * x + c
    return total


def decays(x, *b):
    return sum(b[i] * np.exp(-b[i + 1] * x) for i in range(0, len(b), 2))


def gauss(x, b0, b1, b2, b3, b4, b5, b6, b7):
    bumps = b2 * np.exp(-(((x - b3) / b4) ** 2)) + b5 * np.exp(-(((x - b6) / b7) ** 2))
    return b0 * np.exp(-b1 * x) + bumps


def enso(x, b0, b1, b2, b3, b4, b5, b6, b7, b8):
    turn = 2.0 * np.pi * x
    first = b1 * np.cos(turn / 12) + b2 * np.sin(turn / 12)
    second = b4 * np.cos(turn / b3) + b5 * np.sin(turn / b3)
    return b0 + first + second + b7 * np.cos(turn / b6) + b8 * np.sin(turn / b6)


FORMULAS = {
    "Misra1a": lambda x, a, b: a * (1 - np.exp(-b * x)),
    "BoxBOD": lambda x, a, b: a * (1 - np.exp(-b * x)),
    "Misra1b": lambda x, a, b: a * (1 - (1 + b * x / 2) ** -2),
    "Misra1c": lambda x, a, b: a * (1 - (1 + 2 * b * x) ** -0.5),
    "Misra1d": lambda x, a, b: a * b * x / (1 + b * x),
    "Chwirut1": lambda x, a, b, c: np.exp(-a * x) / (b + c * x),
    "Chwirut2": lambda x, a, b, c: np.exp(-a * x) / (b + c * x),
    "Lanczos1": decays,
    "Lanczos2": decays,
    "Lanczos3": decays,
    "Gauss1": gauss,
    "Gauss2": gauss,
    "Gauss3": gauss,
    "DanWood": lambda x, a, b: a * x**b,
    "Kirby2": lambda x, *b: quotient(x, b[:3], b[3:]),
    "Hahn1": lambda x, *b: quotient(x, b[:4], b[4:]),
    "Thurber": lambda x, *b: quotient(x, b[:4], b[4:]),
    "Nelson": lambda x, a, b, c: a - b * x[0] * np.exp(-c * x[1]),
    "MGH17": lambda x, a, b, c, d, e: a + b * np.exp(-d * x) + c * np.exp(-e * x),
    "Roszman1": lambda x, a, b, c, d: a - b * x - np.arctan(c / (x - d)) / np.pi,
    "ENSO": enso,
    "MGH09": lambda x, a, b, c, d: a * (x * x + b * x) / (x * x + c * x + d),
    "Rat42": lambda x, a, b, c: a / (1 + np.exp(b - c * x)),
    "MGH10": lambda x, a, b, c: a * np.exp(b / (x + c)),
    "Eckerle4": lambda x, a, b, c: a / b * np.exp(-0.5 * ((x - c) / b) ** 2),
    "Rat43": lambda x, a, b, c, d: a / (1 + np.exp(b - c * x)) ** (1 / d),
    "Bennett5": lambda x, a, b, c: a * (b + x) ** (-1 / c),
}


class Set:
    """Data, starts and certified answers."""

    def __init__(self, entry):
        self.name = entry["name"]
        self.formula = FORMULAS[self.name]
        self.starts = [np.array(start) for start in entry["starts"]]
        self.certified = np.array(entry["certified"])
        self.errors = np.array(entry["errors"])
        self.x = np.array([entry["x"], entry["x2"]] if "x2" in entry else entry["x"])
        self.y = np.array(entry["y"])
        if self.name == "Nelson":
            # The certified fit is to the logarithm.
            self.y = np.log(self.y)


def digits(found, certified):
    """Returns the correct digits of the worst entry, 0 for an answer that is none."""
    with np.errstate(all="ignore"):
        error = np.max(np.abs((np.asarray(found) - certified) / certified))
    return 0.0 if not np.isfinite(error) else float(np.clip(-np.log10(max(error, 1e-16)), 0.0, 16.0))
