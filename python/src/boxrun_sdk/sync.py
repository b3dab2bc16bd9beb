"""The synchronous client's classes; they have the names and methods of the asynchronous ones."""

from ._sync.box import BoxHandle
from ._sync.client import BoxRun
from ._sync.execs import ExecHandle
from ._sync.files import Files
from ._sync.history import History
from ._sync.images import Images
from ._sync.orphans import Orphans
from ._sync.ports import PortConnection
from ._sync.sign_in import SignIn
from ._sync.terminal import Terminal

__all__ = [
    "BoxHandle",
    "BoxRun",
    "ExecHandle",
    "Files",
    "History",
    "Images",
    "Orphans",
    "PortConnection",
    "SignIn",
    "Terminal",
]
