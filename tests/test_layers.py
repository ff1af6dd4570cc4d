"""Imports go one way: stages and tools use mnist, and only tools use dvc."""

import pytest

from tests import ROOT
from tests.test_dvc_yaml import imports

# What a folder's modules never import.
FORBIDDEN = {
    "mnist": {"stages", "tools", "bench", "tests", "dvc", "dvc_data", "dvc_objects"},
    "stages": {"stages", "tools", "bench", "tests", "dvc", "dvc_data", "dvc_objects"},
    "tools": {"bench", "tests"},
}


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_no_module_imports_what_lies_above_it(folder: str) -> None:
    paths = sorted((ROOT / folder).glob("*.py"))
    assert len(paths) > 1
    for path in paths:
        packages = {module.split(".")[0] for module in imports(path)}
        assert not packages & FORBIDDEN[folder], path
