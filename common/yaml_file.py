"""Read YAML files as DVC does: YAML 1.2's core schema, every name at most once."""

import re
from pathlib import Path
from typing import Any

import yaml

from common.command_line import InputError

TAG = "tag:yaml.org,2002:"


class CoreSchemaLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of YAML 1.2, so ``1e-8`` is a number.

    PyYAML itself follows YAML 1.1, where ``1e-8`` is text, ``yes`` is true and ``1:30`` is 90.

    References
    ----------
    https://yaml.org/spec/1.2.2/#103-core-schema
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - as in the base class
        first: [
            (tag, pattern)
            for tag, pattern in resolvers
            if tag[len(TAG) :] in ("merge", "null", "timestamp", "value")
        ]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_integer(self, node: yaml.ScalarNode) -> int:
        """Return the value of a scalar such as ``-12``, ``007``, ``0o14`` or ``0xFF``."""
        text = node.value.replace("_", "")
        is_prefixed = text.lstrip("+-")[1:2] in ("b", "o", "x")
        return int(text, 0 if is_prefixed else 10)

    def construct_unique_mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        """Return a mapping, and refuse one that has a name twice."""
        names: set[Any] = set()
        for key, _ in node.value:
            if key.tag == f"{TAG}merge":
                continue
            name = self.construct_object(key, deep=True)
            if name in names:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{name!r} occurs twice", key.start_mark
                )
            names.add(name)
        return self.construct_mapping(node, deep=True)


CoreSchemaLoader.add_implicit_resolver(
    f"{TAG}bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
CoreSchemaLoader.add_implicit_resolver(
    f"{TAG}int",
    re.compile("^[-+]?(?:0b[0-1_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9_]+)$"),
    list("-+0123456789"),
)
CoreSchemaLoader.add_implicit_resolver(
    f"{TAG}float",
    re.compile(
        r"""^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
        |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
        |[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?
        |[-+]?\.(?:inf|Inf|INF)
        |\.(?:nan|NaN|NAN))$""",
        re.VERBOSE,
    ),
    list("-+0123456789."),
)
CoreSchemaLoader.add_constructor(f"{TAG}int", CoreSchemaLoader.construct_integer)
CoreSchemaLoader.add_constructor(f"{TAG}map", CoreSchemaLoader.construct_unique_mapping)


def read_yaml(path: Path) -> dict[Any, Any]:
    """Load a file that holds a mapping; raises InputError if it is something else."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: not found in {Path.cwd()}; run from the root") from None
    return parse_yaml(content, path)


def parse_yaml(content: bytes, path: Path) -> dict[Any, Any]:
    """Load a mapping from the content of a file; `path` is named in an error."""
    try:
        document = yaml.load(content.decode(), CoreSchemaLoader)  # noqa: S506 - a safe loader
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text: {error}") from None
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError) as error:
        # A tag that does not fit its value, as in `!!int ""`, raises what Python raises.
        raise InputError(f"{path}: not readable as YAML: {_summary(error)}") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: should be a mapping of names to values, is {document!r:.60}")
    return document


def _summary(error: Exception) -> str:
    problem = getattr(error, "problem", None) or type(error).__name__
    mark = getattr(error, "problem_mark", None)
    return f"{problem}, line {mark.line + 1}" if mark else str(problem)
