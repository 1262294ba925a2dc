"""Tests of how a data folder keeps its secrets."""

import stat

from config.data_folder import secret


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "folder" / "secret"

    first, second = secret(path), secret(path)

    assert first == second
    assert len(first) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
