"""Reaction networks in SBML as dynamics."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ._formula import Unsupported, evaluate, margin
from ._operations import divide, multiply, where

__all__ = ["Network"]


class Network:
    """Model in SBML: components whose rates are sums of reactions or rules, and values that follow from them.

    A component is the concentration of a species, or its amount where the model says so, or what a rate rule changes.
    """

    def __init__(self, model: Any):
        self.definitions = {f.getId(): definition(f) for f in model.getListOfFunctionDefinitions()}
        self.rules: dict = {}
        self.rate_rules: dict = {}
        for rule in model.getListOfRules():
            if rule.isAlgebraic():
                raise Unsupported("algebraic rules of SBML are not supported")
            (self.rules if rule.isAssignment() else self.rate_rules)[rule.getVariable()] = rule.getMath()
        self.assignments = {a.getSymbol(): a.getMath() for a in model.getListOfInitialAssignments()}
        self.species = {s.getId(): s for s in model.getListOfSpecies()}
        self.sizes = {c.getId(): c.getSize() if c.isSetSize() else 1.0 for c in model.getListOfCompartments()}
        self.dimensions = {c.getId(): c.getSpatialDimensions() for c in model.getListOfCompartments()}
        self.parameters = {p.getId(): p.getValue() for p in model.getListOfParameters()}
        self.reactions = {r.getId(): Reaction(r) for r in model.getListOfReactions()}
        self.events = [Event(event) for event in model.getListOfEvents()]
        self._check(model)
        changes = {name for reaction in self.reactions.values() for name in reaction.changes}
        fixed = {name for name, s in self.species.items() if s.getBoundaryCondition() or s.getConstant() or name in self.rules}
        moving = [name for name in self.species if name in changes and name not in fixed and name not in self.rate_rules]
        #: Names of the components.
        self.states = moving + list(self.rate_rules)
        jumping = dict.fromkeys(name for event in self.events for name in event.assignments)
        self.states += [name for name in jumping if name not in self.states]
        self._reacting = set(moving)

    def _check(self, model: Any) -> None:
        if model.getNumConstraints():
            raise Unsupported("constraints of SBML are not supported")
        if model.isSetConversionFactor() or any(s.isSetConversionFactor() for s in self.species.values()):
            raise Unsupported("conversion factors of SBML are not supported")
        targets = [name for event in self.events for name in event.assignments]
        for name in (*self.rules, *self.rate_rules, *targets):
            if name in self.sizes:
                raise Unsupported(f"the compartment {name!r} changes its size, which is not supported")
        ids = {i for reaction in self.reactions.values() for i in reaction.ids}
        changed = ids & ({*self.rules, *self.rate_rules, *self.assignments})
        if changed:
            raise Unsupported(f"the stoichiometric number {min(changed)!r} changes, which is not supported")

    def is_known(self, name: str) -> bool:
        """Returns whether the model has something of this name."""
        places = (self.species, self.sizes, self.parameters, self.reactions, self.rules, self.rate_rules)
        return any(name in place for place in places)

    def is_amount(self, name: str) -> bool:
        """Returns whether a species stands for an amount, and not for a concentration."""
        species = self.species[name]
        return species.getHasOnlySubstanceUnits() or not self.dimensions.get(species.getCompartment(), 3)

    def at(self, t: Any, x: Any, given: Mapping) -> Values:
        """Returns the values at a time and state, where parameters and initial values may be given."""
        return Values(self, {"time": t, **dict(zip(self.states, x))}, given, Values(self, {"time": 0.0}, given, None))

    def start(self, given: Mapping) -> list:
        """Returns the initial values of the components, after the events that fire at once."""
        values = Values(self, {"time": 0.0}, given, None)
        found = {name: values(name) for name in self.states}
        for event in self.events:
            if event.fires_at_once:
                fires = evaluate(event.trigger, values, self.definitions)
                for name, formula in event.assignments.items():
                    found[name] = where(fires, evaluate(formula, values, self.definitions), found[name])
        return [found[name] for name in self.states]

    def jump(self, event: Event, values: Values) -> list:
        """Returns the components after an event."""
        new = {name: evaluate(formula, values, self.definitions) for name, formula in event.assignments.items()}
        return [new[name] if name in new else values(name) for name in self.states]

    def rates(self, values: Values) -> list:
        """Returns the rates of the components."""
        flows: dict = {name: 0.0 for name in self.states}
        for name, reaction in self.reactions.items():
            for species, number in reaction.changes.items():
                if species in self._reacting:
                    flows[species] = flows[species] + multiply(number, values(name))
        for name in self._reacting:
            if not self.is_amount(name):
                flows[name] = divide(flows[name], values(self.species[name].getCompartment()))
        for name, formula in self.rate_rules.items():
            flows[name] = evaluate(formula, values, self.definitions)
        return [flows[name] for name in self.states]


class Event:
    """Trigger, and the new values of what it changes."""

    def __init__(self, event: Any):
        name = event.getId() or "unnamed"
        for given, what in ((event.isSetDelay(), "a delay"), (event.isSetPriority(), "a priority")):
            if given:
                raise Unsupported(f"the event {name!r} has {what}, which is not supported")
        self.trigger = event.getTrigger().getMath()
        self.assignments = {a.getVariable(): a.getMath() for a in event.getListOfEventAssignments()}
        self.fires_at_once = event.getLevel() > 2 and not event.getTrigger().getInitialValue()

    def margin(self, values: Values) -> Any:
        """Returns a number that is positive where the trigger is true."""
        return margin(self.trigger, values, values.network.definitions)


class Reaction:
    """Kinetic law with its own parameters, and how much it changes every species."""

    def __init__(self, reaction: Any):
        if reaction.isSetFast() and reaction.getFast():
            raise Unsupported(f"the reaction {reaction.getId()!r} is fast, which is not supported")
        law = reaction.getKineticLaw()
        if law is None or law.getMath() is None:
            raise Unsupported(f"the reaction {reaction.getId()!r} has no kinetic law")
        self.law = law.getMath()
        own = [*law.getListOfParameters(), *law.getListOfLocalParameters()]
        self.own = {parameter.getId(): parameter.getValue() for parameter in own}
        self.changes: dict = {}
        self.ids = set()
        for sign, references in ((-1.0, reaction.getListOfReactants()), (1.0, reaction.getListOfProducts())):
            for reference in references:
                if reference.isSetStoichiometryMath():
                    raise Unsupported(f"a stoichiometric number of the reaction {reaction.getId()!r} is a formula")
                self.ids.add(reference.getId())
                number = reference.getStoichiometry() if reference.isSetStoichiometry() else 1.0
                species = reference.getSpecies()
                self.changes[species] = self.changes.get(species, 0.0) + sign * number
        self.ids.discard("")


class Values:
    """Values of names at a state, each computed when it is first asked for."""

    def __init__(self, network: Network, known: dict, given: Mapping, initial: Any):
        self.network = network
        self.known = known
        self.given = given
        # Values at the start, or None if these are they.
        self.initial = initial

    def __call__(self, name: str) -> Any:
        if name not in self.known:
            self.known[name] = None
            self.known[name] = self._compute(name)
        if self.known[name] is None:
            raise ValueError(f"the value of {name!r} depends on itself")
        return self.known[name]

    def _evaluate(self, formula: Any, own: Mapping = {}) -> Any:  # noqa: B006
        value_of: Callable = self if not own else (lambda name: own[name] if name in own else self(name))
        return evaluate(formula, value_of, self.network.definitions)

    def _compute(self, name: str) -> Any:
        network = self.network
        if name in network.rules:
            return self._evaluate(network.rules[name])
        if name in network.reactions:
            reaction = network.reactions[name]
            return self._evaluate(reaction.law, reaction.own)
        if self.initial is not None:
            return self.initial(name)
        if name in self.given:
            return self.given[name](self._default) if callable(self.given[name]) else self.given[name]
        return self._default(name)

    def _default(self, name: str) -> Any:
        """Returns the value at the start that the model itself gives."""
        network = self.network
        if name in network.assignments:
            return self._evaluate(network.assignments[name])
        if name in network.species:
            return self._of_species(name)
        for values in (network.sizes, network.parameters):
            if name in values:
                return float(values[name])
        raise ValueError(f"no {name!r} in the model")

    def _of_species(self, name: str) -> Any:
        species = self.network.species[name]
        size = self(species.getCompartment())
        if species.isSetInitialAmount():
            amount = float(species.getInitialAmount())
            return amount if self.network.is_amount(name) else divide(amount, size)
        if species.isSetInitialConcentration():
            concentration = float(species.getInitialConcentration())
            return multiply(concentration, size) if self.network.is_amount(name) else concentration
        return 0.0


def definition(function: Any) -> tuple:
    """Returns the names of the arguments of a function, and its formula."""
    tree = function.getMath()
    last = tree.getNumChildren() - 1
    return [tree.getChild(i).getName() for i in range(last)], tree.getChild(last)
