"""A machine with other versions than a commit locks is refused, and the package is named."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from tests import ROOT
from tools.trials.versions import LOCKED, refuse_other_versions


def test_what_is_installed_is_what_is_locked(tmp_path: Path) -> None:
    refuse_other_versions(ROOT)
    (tmp_path / "requirements").mkdir()
    lines = (ROOT / LOCKED).read_text()
    (tmp_path / LOCKED).write_text(lines.replace("\nnumpy==", "\nnumpy==9"))
    with pytest.raises(
        UserError, match=r"requirements/pipeline\.txt has numpy==9\S+, installed is \d\S+: run `make in"
    ):
        refuse_other_versions(tmp_path)
    (tmp_path / LOCKED).write_text(
        f"{lines}no-such-package==1 \\\n    --hash=...\nnever==1 ; sys_platform == 'none' \\\n"
    )
    with pytest.raises(UserError, match=r"has no-such-package==1, installed is none: run `make install`"):
        refuse_other_versions(tmp_path)
