"""The asynchronous client's classes, where SDK 0.3 has them."""

from ._async.box import BoxHandle
from ._async.client import BoxRunClient
from ._async.execs import ExecHandle
from ._async.files import Files
from ._async.images import Images
from ._async.terminal import Terminal

__all__ = ["BoxHandle", "BoxRunClient", "ExecHandle", "Files", "Images", "Terminal"]
