"""Runs the examples, and writes a page for each: what the problem is, the output, the pictures and the code.

python docs/site/gallery.py            # every example in short, into target/gallery
python docs/site/gallery.py --full     # as they are meant; takes minutes
"""

from __future__ import annotations

import argparse
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from text import ROOT, fenced, text_of

if TYPE_CHECKING:
    from stage import Stage

RESULTS = ROOT / "target" / "gallery"


@dataclass(frozen=True)
class Example:
    """Program of `examples/`."""

    name: str
    title: str
    #: Whether it has a short mode, and whether it draws.
    quick: bool = True
    draws: bool = True
    features: str = ""
    #: Picture of the overview; the first one if it is empty.
    cover: str = ""

    @property
    def source(self) -> str:
        """Main file of the example."""
        single = f"examples/{self.name}.rs"
        return single if (ROOT / single).exists() else f"examples/{self.name}/main.rs"

    def command(self, full: bool) -> list[str]:
        """Command line that runs the example."""
        features = ["--features", self.features] if self.features else []
        given = ["--quick"] if self.quick and not full else []
        return ["cargo", "run", "--release", *features, "--example", self.name, *(["--", *given] if given else [])]


EXAMPLES = [
    Example("quickstart", "A first descent", quick=False, draws=False),
    Example("curve_fit", "A curve from its formula", quick=False),
    Example("residual_only", "An equation from its residual", quick=False, draws=False),
    Example("own_model", "A model of your own", quick=False, draws=False),
    Example("own_metric", "A metric of your own", quick=False, draws=False),
    Example("gaussian_mixture", "Six geometries on one problem", cover="case_five_paths"),
    Example("geometries", "What losses and metrics do to a bump", quick=False, cover="metrics"),
    Example("lorenz", "Lorenz from the histogram of a trajectory", cover="trajectory_measure"),
    Example("delay_measure", "Lorenz from one coordinate alone"),
    Example("chaos_shooting", "Lorenz from a trajectory, by many short windows"),
    Example("lotka_volterra", "Hares and lynx", quick=False),
    Example("jak_stat", "Rates of a signalling protein"),
    Example("particles", "Stochastic equations from clouds"),
    Example("heat_conductivity", "The conductivity along a bar"),
    Example("darcy", "A field and its posterior"),
    Example("multistart", "All optima of a fit"),
    Example("race", "Every optimiser, metric and loss in a race", cover="mixture"),
    Example("image", "Digits by a network, fitted in several ways"),
    Example("relaxation", "What a decay tells of its rates", quick=False, cover="combinations"),
    Example("sketch_accuracy", "The accuracy of random probes"),
    Example("cuda", "Adjoints on a GPU", draws=False, features="cuda"),
]


def run(example: Example, folder: Path, full: bool) -> None:
    """Runs an example, and keeps its output and pictures in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    command = example.command(full)
    place = ([] if "--" in command else ["--"]) + ["--out", str(folder)] if example.draws else []
    print(f"running {example.name}", flush=True)
    done = subprocess.run([*command, *place], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{example.name} failed:\n{done.stdout}\n{done.stderr}")
    (folder / "output.txt").write_text(f"$ {' '.join(command)}\n{done.stdout}", encoding="utf-8")


def introduction(text: str) -> str:
    """Returns the comment at the head of a program."""
    lines = [line for line in text.splitlines() if line.startswith("//!")]
    return "\n".join(line[3:].removeprefix(" ") for line in lines)


def pictures(example: Example, folder: Path) -> list[tuple[str, Path]]:
    """Returns the pictures in a folder, with their names in the site."""
    found = sorted(folder.rglob("*.png"))
    return [(f"{example.name}_{'_'.join(path.relative_to(folder).parts)}", path) for path in found]


def page(example: Example, folder: Path, stage: Stage) -> str:
    """Returns the page of an example with the results in a folder, and copies its pictures."""
    output = (folder / "output.txt").read_text(encoding="utf-8").replace(str(folder), f"out/{example.name}")
    main = text_of(example.source)
    parts = [f"# {example.title}\n\n{introduction(main)}\n"]
    found = pictures(example, folder)
    for name, picture in found:
        stage.picture(f"gallery/{name}", picture.read_bytes())
        caption = name.removeprefix(f"{example.name}_").removesuffix(".png").replace("_", " ")
        parts.append(
            f"![{example.title}: {caption}]({name})\n\n*{caption}*\n" if len(found) > 1 else f"![{example.title}]({name})\n"
        )
    parts.append(f"## Output\n\n{fenced('text', output)}")
    parts.append(f"## Code\n\n`{example.source}`:\n\n{fenced('rust', main)}")
    beside = sorted((ROOT / example.source).parent.glob("*.rs")) if example.source.endswith("main.rs") else []
    for path in beside:
        if path.name != "main.rs":
            source = path.relative_to(ROOT).as_posix()
            parts.append(f":::{{dropdown}} {source}\n{fenced('rust', text_of(source))}:::\n")
    return "\n".join(parts)


def write(stage: Stage, results: Path) -> None:
    """Writes the pages of all examples, and runs those without results."""
    cards = []
    for example in EXAMPLES:
        folder = results / example.name
        if not (folder / "output.txt").exists():
            run(example, folder, full=False)
        stage.page(f"gallery/{example.name}.md", page(example, folder, stage))
        cards.append(card(example, folder))
    tree = "\n".join(example.name for example in EXAMPLES)
    head = (ROOT / "docs" / "site" / "gallery.md").read_text(encoding="utf-8")
    grid = "::::{grid} 1 2 2 2\n:gutter: 3\n" + "".join(cards) + "::::\n"
    stage.page("gallery/index.md", f"{head}\n{grid}\n```{{toctree}}\n:hidden:\n\n{tree}\n```\n")


def card(example: Example, folder: Path) -> str:
    """Returns the entry of an example in the overview."""
    names = [name for name, _ in pictures(example, folder)]
    chosen = [name for name in names if example.cover in name][:1]
    image = "".join(f":img-top: {name}\n" for name in chosen)
    first = introduction(text_of(example.source)).split("\n\n")[0].replace("\n", " ")
    return f":::{{grid-item-card}} {example.title}\n:link: {example.name}\n:link-type: doc\n{image}\n{first}\n:::\n"


def main() -> None:
    """Runs the examples named on the command line, or all."""
    parser = argparse.ArgumentParser(description="Runs the examples for the gallery.")
    parser.add_argument("names", nargs="*", help="examples; all by default")
    parser.add_argument("--full", action="store_true", help="run them as they are meant, which takes minutes")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of outputs and pictures")
    given = parser.parse_args()
    for example in EXAMPLES:
        if not given.names or example.name in given.names:
            run(example, given.results.resolve() / example.name, given.full)


if __name__ == "__main__":
    main()
