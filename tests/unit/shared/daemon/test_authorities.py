"""--ca-bundle: a file that no client could use is told at the start, not by every mount."""

from pathlib import Path

import pytest
import trustme

from sscsi_provider_aws.__main__ import ca_bundle
from sscsi_shared.daemon.flags import parse
from sscsi_shared.daemon.options import COMMON, DaemonOptions


def options(*arguments: str) -> DaemonOptions:
    return DaemonOptions.of(parse("tool", "A tool.", COMMON, arguments, {}))


def test_a_file_of_certificates_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(file)
    assert options(f"--ca-bundle={file}").ca_bundle == file
    assert options("--ca-bundle=").ca_bundle is None
    assert options().ca_bundle is None
    assert ca_bundle({"AWS_CA_BUNDLE": str(file)}) == file
    assert ca_bundle({}) is None


@pytest.mark.parametrize(
    ("contents", "told"),
    [(None, "the file can't be read: No such file or directory"), ("words", "holds no certificate in PEM form")],
)
def test_anything_else_ends_the_daemon(
    contents: str | None, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ca.pem"
    if contents is not None:
        file.write_text(contents)
    for start in (lambda: options(f"--ca-bundle={file}"), lambda: ca_bundle({"AWS_CA_BUNDLE": str(file)})):
        with pytest.raises(SystemExit) as caught:
            start()
        assert caught.value.code == 2
        assert told in capsys.readouterr().err
