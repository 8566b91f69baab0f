"""A small problem in the format PEtab: a drug that is absorbed and cleared, in SBML."""

import math

import numpy as np
import scipy.integrate

MODEL = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1">
<model id="drug">
<listOfFunctionDefinitions><functionDefinition id="saturated"><math xmlns="http://www.w3.org/1998/Math/MathML"><lambda>
<bvar><ci>s</ci></bvar><bvar><ci>k</ci></bvar>
<apply><divide/><ci>s</ci><apply><plus/><ci>k</ci><ci>s</ci></apply></apply></lambda></math></functionDefinition></listOfFunctionDefinitions>
<listOfCompartments>
<compartment id="gut" spatialDimensions="3" size="0.5" constant="true"/>
<compartment id="blood" spatialDimensions="3" size="5" constant="true"/>
</listOfCompartments>
<listOfSpecies>
<species id="G" compartment="gut" initialAmount="0" hasOnlySubstanceUnits="true" boundaryCondition="false" constant="false"/>
<species id="B" compartment="blood" initialConcentration="0.1" hasOnlySubstanceUnits="false" boundaryCondition="false" constant="false"/>
<species id="E" compartment="blood" initialAmount="10" hasOnlySubstanceUnits="false" boundaryCondition="true" constant="false"/>
</listOfSpecies>
<listOfParameters>
<parameter id="ka" value="7" constant="true"/>
<parameter id="vmax" value="0.8" constant="true"/>
<parameter id="km" value="2" constant="true"/>
<parameter id="infusion" value="0.3" constant="true"/>
<parameter id="stop" value="1.5" constant="true"/>
<parameter id="half" constant="true"/>
<parameter id="input" constant="false"/>
<parameter id="seen" value="0" constant="false"/>
</listOfParameters>
<listOfInitialAssignments>
<initialAssignment symbol="half"><math xmlns="http://www.w3.org/1998/Math/MathML">
<apply><divide/><ci>vmax</ci><cn>2</cn></apply></math></initialAssignment>
</listOfInitialAssignments>
<listOfRules>
<assignmentRule variable="input"><math xmlns="http://www.w3.org/1998/Math/MathML"><piecewise>
<piece><ci>infusion</ci><apply><lt/><csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/time">t</csymbol>
<ci>stop</ci></apply></piece><otherwise><cn>0</cn></otherwise></piecewise></math></assignmentRule>
<rateRule variable="seen"><math xmlns="http://www.w3.org/1998/Math/MathML">
<apply><minus/><ci>B</ci><apply><times/><ci>half</ci><ci>seen</ci></apply></apply></math></rateRule>
</listOfRules>
<listOfReactions>
<reaction id="absorption" reversible="false" fast="false">
<listOfReactants><speciesReference species="G" stoichiometry="1" constant="true"/></listOfReactants>
<listOfProducts><speciesReference species="B" stoichiometry="2" constant="true"/></listOfProducts>
<kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci>ka</ci><ci>G</ci></apply></math></kineticLaw>
</reaction>
<reaction id="clearance" reversible="false" fast="false">
<listOfReactants><speciesReference species="B" stoichiometry="1" constant="true"/></listOfReactants>
<kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci>own</ci><ci>vmax</ci><ci>E</ci>
<apply><ci>saturated</ci><ci>B</ci><ci>km</ci></apply></apply></math>
<listOfLocalParameters><localParameter id="own" value="0.4"/></listOfLocalParameters></kineticLaw>
</reaction>
<reaction id="inflow" reversible="false" fast="false">
<listOfProducts><speciesReference species="B" stoichiometry="1" constant="true"/></listOfProducts>
<kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><ci>input</ci></math></kineticLaw>
</reaction>
</listOfReactions>
<listOfEvents><event id="dose" useValuesFromTriggerTime="true"><trigger initialValue="true" persistent="true">
<math xmlns="http://www.w3.org/1998/Math/MathML"><apply><geq/>
<csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/time">t</csymbol><cn>1.2</cn></apply></math></trigger>
<listOfEventAssignments><eventAssignment variable="G"><math xmlns="http://www.w3.org/1998/Math/MathML">
<apply><plus/><ci>G</ci><ci>vmax</ci></apply></math></eventAssignment></listOfEventAssignments></event></listOfEvents>
</model>
</sbml>
"""

YAML = """format_version: 1
parameter_file: parameters.tsv
problems:
- sbml_files: [model.xml]
  condition_files: [conditions.tsv]
  observable_files: [observables.tsv]
  measurement_files: [measurements.tsv]
"""

PARAMETERS = """parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\tobjectivePriorType\tobjectivePriorParameters
ka\tlog10\t0.01\t100\t1.2\t1\tparameterScaleNormal\t0.1;0.3
km\tlog\t0.01\t100\t2.5\t1\t\t
strong\tlin\t0\t10\t0.9\t1\tlaplace\t1;0.5
scale\tlog10\t0.01\t100\t1.7\t1\t\t
sd\tlog10\t0.001\t10\t0.2\t1\t\t
weak\tlin\t0\t10\t0.45\t0\t\t
"""

CONDITIONS = """conditionId\tG\tvmax\tinfusion
low\t3\tweak\t0
high\t9\tstrong\t0.6
basal\t\t0.7\t0.2
driven\t\tstrong\t0.5
"""

OBSERVABLES = """observableId\tobservableFormula\tnoiseFormula\tobservableTransformation\tnoiseDistribution
conc\tobservableParameter1_conc * B\tnoiseParameter1_conc\tlog10\tnormal
sum\tseen + G / gut\t0.05 + 0.1 * sum\tlin\tlaplace
"""

TIMES = (0.5, 1.0, 2.0, 4.0)

#: Condition before the start, condition, observable, time, replacements in the observable and in its noise.
ROWS = [("", c, "conc", t, "scale", "sd") for c in ("low", "high") for t in TIMES]
ROWS += [("basal", "driven", "conc", t, "1.5", "0.3") for t in TIMES]
ROWS += [("", c, "sum", t, "", "") for c in ("low", "high") for t in TIMES[:2]]

#: Parameters at which the objective is computed, and the measured values.
THETA = {"ka": 1.2, "km": 2.5, "strong": 0.9, "scale": 1.7, "sd": 0.2}
VALUES = np.random.default_rng(5).uniform(0.3, 1.2, len(ROWS))


def write(folder, **changed):
    """Writes the files of the problem, and returns the path of the first."""
    lines = [
        "observableId\tpreequilibrationConditionId\tsimulationConditionId\tmeasurement\ttime\tobservableParameters\tnoiseParameters"
    ]
    lines += [f"{o}\t{b}\t{c}\t{y}\t{t}\t{s}\t{n}" for (b, c, o, t, s, n), y in zip(ROWS, VALUES)]
    files = {"parameters.tsv": PARAMETERS, "conditions.tsv": CONDITIONS, "observables.tsv": OBSERVABLES, "model.xml": MODEL}
    files |= {"measurements.tsv": "\n".join(lines) + "\n", "problem.yaml": YAML, **changed}
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder / "problem.yaml"


def integrate(theta, x, span, vmax, inflow):
    """Integrates the amount G, the concentration B and seen by SciPy."""

    def rate(t, x):
        gut, blood, seen = x
        absorbed = theta["ka"] * gut
        cleared = 0.4 * vmax * (10.0 / 5.0) * blood / (theta["km"] + blood)
        return [-absorbed, (2.0 * absorbed - cleared + inflow) / 5.0, blood - vmax / 2.0 * seen]

    return scipy.integrate.solve_ivp(rate, (0.0, span), x, "LSODA", rtol=1e-12, atol=1e-14).y[:, -1]


def state(theta, before, condition, t):
    """G, B and seen at a time."""
    strong = theta["strong"]
    table = {"low": (3.0, 0.45, 0.0), "high": (9.0, strong, 0.6), "basal": (0.0, 0.7, 0.2), "driven": (0.0, strong, 0.5)}
    start, *inputs = table[before or condition]
    x = np.array([start, 0.1, 0.0])
    if before:
        # Before the start the time stands still at 0, where the inflow is on.
        x = integrate(theta, x, 3000.0, *inputs)
    _, vmax, infusion = table[condition]
    x = integrate(theta, x, min(t, 1.2), vmax, infusion)
    if t > 1.2:
        x = integrate(theta, x + [vmax, 0.0, 0.0], min(t, 1.5) - 1.2, vmax, infusion)
    return integrate(theta, x, t - 1.5, vmax, 0.0) if t > 1.5 else x


def negative_log_likelihood(theta):
    """Sum over all measurements, from the definitions of PEtab."""
    total = 0.0
    for (before, condition, observable, t, scale, noise), y in zip(ROWS, VALUES):
        gut, blood, seen = state(theta, before, condition, t)
        if observable == "sum":
            mean = seen + gut / 0.5
            total += math.log(2.0 * (0.05 + 0.1 * mean)) + abs(y - mean) / (0.05 + 0.1 * mean)
            continue
        mean = blood * (theta[scale] if scale in theta else float(scale))
        sigma = theta[noise] if noise in theta else float(noise)
        total += 0.5 * math.log(2.0 * math.pi * (sigma * y * math.log(10.0)) ** 2)
        total += 0.5 * (math.log10(y / mean) / sigma) ** 2
    return total


def negative_log_prior(theta):
    """Sum over both priors, of log₁₀ ka and of strong."""
    of_ka = 0.5 * ((math.log10(theta["ka"]) - 0.1) / 0.3) ** 2 + math.log(0.3 * math.sqrt(2.0 * math.pi))
    return of_ka + abs(theta["strong"] - 1.0) / 0.5 + math.log(2.0 * 0.5)
