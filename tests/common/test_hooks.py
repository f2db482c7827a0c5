"""Extras add to commands without being known to them."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from common import hooks
from common.hooks import call_hooks

HOOK = "def gate_failures(config, results):\n    yield f'{config} and {results} of NAME'\n"


def test_hooks_are_called_in_the_order_of_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each extra that defines the function is called; there may be none."""
    package = ModuleType("extras")
    package.__path__ = [str(tmp_path)]
    for name in [name for name in sys.modules if name.startswith("extras.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "extras", package)
    monkeypatch.setattr(hooks, "EXTRAS", tmp_path)
    assert list(call_hooks("gate_failures", "settings", "results")) == []
    contents = {"b": HOOK.replace("NAME", "b"), "a": HOOK.replace("NAME", "a"), "c": "OTHER = 1\n"}
    for name, content in contents.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "hooks.py").write_text(content)
    (tmp_path / "d").mkdir()
    lines = [list(lines) for lines in call_hooks("gate_failures", "settings", "results")]
    assert lines == [["settings and results of a"], ["settings and results of b"]]
