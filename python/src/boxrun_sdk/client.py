"""The asynchronous client's classes, where SDK 0.3 has them."""

from ._async.box import BoxHandle
from ._async.client import BoxRunClient
from ._async.execs import ExecHandle
from ._async.files import Files
from ._async.history import History
from ._async.images import Images
from ._async.orphans import Orphans
from ._async.ports import PortConnection
from ._async.sign_in import SignIn
from ._async.terminal import Terminal

__all__ = [
    "BoxHandle",
    "BoxRunClient",
    "ExecHandle",
    "Files",
    "History",
    "Images",
    "Orphans",
    "PortConnection",
    "SignIn",
    "Terminal",
]
