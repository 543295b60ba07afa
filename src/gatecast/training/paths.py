"""Files and folders that a training run writes, checked before it."""

from __future__ import annotations

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.writable import require_writable
from gatecast.training.config import FitConfig


def require_paths(config: FitConfig) -> None:
    """Check that checkpoint and log can be written.

    Raises:
        SettingError: a folder cannot be written to, or the checkpoint is a folder.
    """
    if config.checkpoint is not None:
        name = Arg("checkpoint", str(config.checkpoint), of="FitConfig")
        if config.checkpoint.is_dir():
            raise SettingError(name + " is a folder", "name a file in it")
        require_writable(config.checkpoint.absolute().parent, name)
    if config.log_dir is not None:
        require_writable(config.log_dir.absolute(), Arg("log_dir", str(config.log_dir), of="FitConfig"))
