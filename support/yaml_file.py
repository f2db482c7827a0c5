"""Read YAML files, where `1e-8` is a number and no name may occur twice."""

import re
from pathlib import Path
from typing import Any

import yaml

from support.command_line import InputError

# PyYAML follows YAML 1.1, where `1e-8` is text, but `yes`, `1:30` and `017` are not. Here these
# are text, which settings refuse where they expect a number.
SCALARS = {
    "null": r"~|null|",
    "bool": r"true|false",
    "int": r"[-+]?(0|[1-9][0-9]*)",
    "float": (
        r"[-+]?([0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?"
        r"|[-+]?\.[0-9]+([eE][-+][0-9]+)?"
    ),
    "merge": r"<<",
}


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader with these scalars, which refuses a name that occurs twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as in the base class
        None: [
            (f"tag:yaml.org,2002:{tag}", re.compile(f"^({pattern})$"))
            for tag, pattern in SCALARS.items()
        ]
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping."""
        names = [key.value for key, _ in node.value]
        for place, (key, _) in enumerate(node.value):
            if key.value in names[:place]:
                problem = f"{key.value!r} occurs twice"
                raise yaml.constructor.ConstructorError(
                    problem=problem, problem_mark=key.start_mark
                )
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[Any, Any]:
    """Load a file that holds a mapping; raises InputError if it is something else."""
    try:
        document = yaml.load(path.read_bytes().decode(), Loader)  # noqa: S506 - a safe loader
    except FileNotFoundError:
        raise InputError(f"{path}: not found in {Path.cwd()}; run from the root") from None
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or error
        if b"<<<<<<< " in path.read_bytes():
            reason = "merge conflicts to resolve"
        raise InputError(f"{path}: not readable as YAML: {reason}{line}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: should be a mapping of names to values, is {document!r:.60}")
    return document
