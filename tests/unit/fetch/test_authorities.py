"""Which certificate authorities are trusted, and when they are read."""

import pytest

from modelsync.fetch import authorities
from support.faults import Authority


def test_authorities_are_read_once_and_again_when_the_file_is_another(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    usual = authorities()
    assert authorities() is usual
    assert len(usual.get_ca_certs()) > 50
    file = tmp_path / "authorities.pem"
    ours, theirs = (Authority(tmp_path).file.read_bytes() for _ in range(2))
    file.write_bytes(ours)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    own = authorities()
    assert (own is authorities(), len(own.get_ca_certs())) == (True, 1)
    file.write_bytes(ours + theirs)
    assert len(authorities().get_ca_certs()) == 2
    monkeypatch.delenv("SSL_CERT_FILE")
    assert len(authorities().get_ca_certs()) == len(usual.get_ca_certs())


def test_a_changed_folder_of_authorities_is_read_again(tmp_path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "authorities"
    folder.mkdir()
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("SSL_CERT_DIR", str(folder))
    before = authorities()
    assert authorities() is before
    (folder / "one.pem").write_bytes(Authority(tmp_path).file.read_bytes())
    assert authorities() is not before
