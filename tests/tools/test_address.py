"""Only a scheduler that nobody else can speak to is used."""

import subprocess
from pathlib import Path

import pytest

from pipeline.errors import UserError
from tests import ROOT
from tools.trials.address import HOW_TO, security_for


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "tcp://localhost:8786", "tcp://[::1]:8786"])
def test_this_machine_needs_no_certificate(address: str) -> None:
    assert not security_for(address).require_encryption


@pytest.mark.parametrize("host", ["10.0.0.1", "0.0.0.0", "host.example.org", "127.0.0.1.example.org", "[2001:db8::1]"])
def test_other_address_without_tls_is_refused(host: str) -> None:
    with pytest.raises(UserError, match="is refused: Dask runs whatever anybody sends to it; use tls://") as error:
        security_for(f"tcp://{host}:8786")
    assert HOW_TO in str(error.value)


@pytest.mark.parametrize(
    "address", ["host:8786", "host", "tls://host", "ucx://127.0.0.1:8786", "tls://:8786", "tcp://h:x"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="is no address; expected tls://HOST:PORT"):
        security_for(address)


def test_certificates_are_made_by_the_commands_that_it_names(home: Path) -> None:
    with pytest.raises(UserError, match=r"tls\.crt is missing; once, on one of the machines: mkdir "):
        security_for("tls://host:8786")
    commands, _, copy = HOW_TO.partition(" && scp ")
    assert copy == "-pr ~/.sweep OTHER-MACHINE:"
    assert HOW_TO.replace(" && ", "\n") in (ROOT / "docs/sweep.md").read_text()
    subprocess.run(["sh", "-ec", commands], check=True, capture_output=True)
    security = security_for("tls://host:8786")
    assert security.require_encryption
    assert security.get_connection_args("client")["ssl_context"].verify_mode.name == "CERT_REQUIRED"
    assert [oct(path.stat().st_mode & 0o077) for path in (home / ".sweep", home / ".sweep/tls.key")] == ["0o0", "0o0"]
