"""dvc.yaml lists the code that can change a byte of a stage's outputs, and no other."""

import grimp
import pytest

from support.yaml_file import read_yaml
from tests.workspace import ROOT

CODE = ("commands", "common", "stages", "support")
# Watched by value, as `params`. What these modules import changes no byte either.
SETTINGS = ("common.config", "common.datasets")
STAGES = read_yaml(ROOT / "dvc.yaml")["stages"]


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    """Return which modules of stages/ and common/ import which, without the settings."""
    graph = grimp.build_graph("stages", "common", cache_dir=None)
    for module in SETTINGS:
        graph.remove_module(module)
    return graph


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lists_the_code_that_it_imports(imports: grimp.ImportGraph, stage: str) -> None:
    """Its own folder, and each file of common/ that this imports, also through another file."""
    definition = STAGES[stage].get("do", STAGES[stage])
    listed = {path for path in definition["deps"] if path.split("/")[0] in CODE}
    modules = imports.find_upstream_modules(f"stages.{stage}", as_package=True)
    files = {f"{module.replace('.', '/')}.py" for module in modules}
    assert listed == files | {f"stages/{stage}"}
