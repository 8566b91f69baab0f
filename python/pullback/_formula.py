"""Formulas of SBML and PEtab, evaluated with traced numbers."""

from __future__ import annotations

import functools
import math
from typing import Any, Callable

from ._operations import FUNCTIONS, Condition, compare, divide, maximum, minimum, multiply, power, where
from ._trace import Traced

__all__ = ["Unsupported", "evaluate", "margin", "parse"]


class Unsupported(ValueError):
    """Something in a problem that the package does not know."""


@functools.lru_cache(maxsize=None)
def library() -> Any:
    """Returns libsbml."""
    try:
        import libsbml
    except ImportError as cause:
        raise ImportError("SBML needs libsbml: pip install python-libsbml") from cause
    return libsbml


def parse(text: str) -> Any:
    """Returns the tree of a formula of PEtab, in which log is the natural logarithm."""
    sbml = library()
    settings = sbml.L3ParserSettings()
    settings.setParseLog(sbml.L3P_PARSE_LOG_AS_LN)
    tree = sbml.parseL3FormulaWithSettings(str(text), settings)
    if tree is None:
        raise ValueError(f"the formula {text!r} cannot be read: {sbml.getLastParseL3Error()}")
    return tree


def truth(value: bool) -> Condition:
    """Returns a condition that is known."""
    return Condition(lambda a, b: a if value else b)


def folded(function: Callable, start: Any = None) -> Callable:
    """Returns a function of any number of arguments."""

    def apply(*values: Any) -> Any:
        return functools.reduce(function, values) if start is None else functools.reduce(function, values, start)

    return apply


def same(a: Any, b: Any) -> Condition:
    """Returns whether two numbers or two conditions are equal."""
    if isinstance(a, Condition) and isinstance(b, Condition):
        return (a & b) | (~a & ~b)
    return compare("equal", a, b)


def logarithm(base: Any, x: Any) -> Any:
    """Returns the logarithm of x to a base."""
    return divide(FUNCTIONS["log"](x), FUNCTIONS["log"](base))


#: Time, of any unit, that is too short to matter.
MOMENT = 1e-20

#: Functions by the suffix of their type in libsbml.
BY_TYPE: dict = {
    "PLUS": folded(lambda a, b: FUNCTIONS["add"](a, b), 0.0),
    "TIMES": folded(multiply, 1.0),
    "MINUS": lambda a, *b: FUNCTIONS["subtract"](a, *b) if b else FUNCTIONS["negative"](a),
    "DIVIDE": divide,
    "POWER": power,
    "FUNCTION_POWER": power,
    "FUNCTION_ABS": FUNCTIONS["absolute"],
    "FUNCTION_EXP": FUNCTIONS["exp"],
    "FUNCTION_LN": FUNCTIONS["log"],
    "FUNCTION_LOG": lambda *a: logarithm(*a) if len(a) == 2 else FUNCTIONS["log10"](*a),
    "FUNCTION_ROOT": lambda *a: power(a[1], divide(1.0, a[0])) if len(a) == 2 else FUNCTIONS["sqrt"](*a),
    "FUNCTION_FLOOR": FUNCTIONS["floor"],
    "FUNCTION_CEILING": lambda a: FUNCTIONS["negative"](FUNCTIONS["floor"](FUNCTIONS["negative"](a))),
    "FUNCTION_MAX": folded(maximum),
    "FUNCTION_MIN": folded(minimum),
    "FUNCTION_REM": FUNCTIONS["remainder"],
    "RELATIONAL_LT": lambda a, b: compare("less", a, b),
    "RELATIONAL_GT": lambda a, b: compare("less", b, a),
    "RELATIONAL_LEQ": lambda a, b: compare("less_equal", a, b),
    "RELATIONAL_GEQ": lambda a, b: compare("less_equal", b, a),
    "RELATIONAL_EQ": same,
    "RELATIONAL_NEQ": lambda a, b: ~same(a, b),
    "LOGICAL_AND": folded(lambda a, b: a & b),
    "LOGICAL_OR": folded(lambda a, b: a | b),
    "LOGICAL_XOR": folded(lambda a, b: (a & ~b) | (~a & b)),
    "LOGICAL_NOT": lambda a: ~a,
}
BY_TYPE |= {f"FUNCTION_{name.upper()}": FUNCTIONS[name] for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}
BY_TYPE |= {f"FUNCTION_ARC{name.upper()}": FUNCTIONS[f"arc{name}"] for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")}

#: Functions that libsbml takes for names.
BY_NAME = {"log2": FUNCTIONS["log2"], "sqrt": FUNCTIONS["sqrt"], "exp": FUNCTIONS["exp"], "pow": power}

#: Constants by the suffix of their type.
CONSTANTS: dict = {
    "CONSTANT_E": math.e,
    "CONSTANT_PI": math.pi,
    "NAME_AVOGADRO": 6.02214179e23,
    "CONSTANT_TRUE": truth(True),
    "CONSTANT_FALSE": truth(False),
}


@functools.lru_cache(maxsize=None)
def types() -> dict:
    """Returns the suffixes of libsbml's types of nodes."""
    sbml = library()
    return {getattr(sbml, name): name[4:] for name in dir(sbml) if name.startswith("AST_") and isinstance(getattr(sbml, name), int)}


def evaluate(node: Any, value_of: Callable[[str], Any], definitions: dict) -> Any:
    """Evaluates a formula.

    ``value_of`` returns the value of a name, where "time" is the time; ``definitions`` holds the functions of a model, each with the
    names of its arguments and its formula.
    """
    kind = types().get(node.getType(), "")
    if node.isNumber():
        return float(node.getValue())
    if kind == "NAME_TIME":
        return value_of("time")
    if kind == "NAME":
        return value_of(node.getName())
    if kind in CONSTANTS:
        return CONSTANTS[kind]
    children = [node.getChild(i) for i in range(node.getNumChildren())]
    if kind == "FUNCTION" and node.getName() in definitions:
        names, body = definitions[node.getName()]
        values = [evaluate(child, value_of, definitions) for child in children]
        inner = dict(zip(names, values))
        return evaluate(body, lambda name: inner[name] if name in inner else value_of(name), definitions)
    values = [evaluate(child, value_of, definitions) for child in children]
    if kind == "FUNCTION_PIECEWISE":
        return piecewise(values)
    function = BY_TYPE.get(kind) or (BY_NAME.get(node.getName()) if kind == "FUNCTION" else None)
    if function is None:
        raise Unsupported(f"the function {node.getName() or kind.lower()!r} is not supported")
    return function(*values)


def piecewise(values: list) -> Any:
    """Returns the first value whose condition holds; values and conditions alternate, and a last value is for all other cases."""
    found = values[-1] if len(values) % 2 else float("nan")
    for value, condition in reversed(list(zip(values[0::2], values[1::2]))):
        found = choice(condition, value, found)
    return found


def choice(condition: Any, a: Any, b: Any) -> Any:
    """Returns a where a condition holds, and otherwise b, which may be conditions themselves."""
    if isinstance(a, Condition) or isinstance(b, Condition):
        return (condition & a) | (~condition & b)
    return where(condition, a, b)


def margin(node: Any, value_of: Callable[[str], Any], definitions: dict) -> Any:
    """Returns a number that changes from negative to positive when a condition becomes true."""
    kind = types().get(node.getType(), "")
    children = [node.getChild(i) for i in range(node.getNumChildren())]
    if kind in ("LOGICAL_AND", "LOGICAL_OR"):
        function = minimum if kind == "LOGICAL_AND" else maximum
        return functools.reduce(function, [margin(child, value_of, definitions) for child in children])
    if kind == "LOGICAL_NOT":
        return FUNCTIONS["negative"](margin(children[0], value_of, definitions))
    if kind not in ("RELATIONAL_LT", "RELATIONAL_LEQ", "RELATIONAL_GT", "RELATIONAL_GEQ") or len(children) != 2:
        raise Unsupported(f"a trigger with {node.getName() or kind.lower()!r} is not supported")
    a, b = (evaluate(child, value_of, definitions) for child in children)
    found = FUNCTIONS["subtract"](*((b, a) if kind in ("RELATIONAL_LT", "RELATIONAL_LEQ") else (a, b)))
    if kind in ("RELATIONAL_LT", "RELATIONAL_GT") and of_time(found):
        # Where both sides are equal at the start, time makes the condition true just after it.
        return FUNCTIONS["subtract"](found, MOMENT)
    return found


def of_time(value: Any) -> bool:
    """Returns whether a traced number depends on the time alone, apart from parameters."""
    if not isinstance(value, Traced):
        return False
    operations = value.graph.program([value])[0]
    names = {name for name, _, _ in operations}
    return "time" in names and "state" not in names
