"""Errors of AWS on this machine. Each message is one line that names the problem and a solution.

CloudError
├── AlreadyRunning      a server runs in this folder
├── FolderNotOurs       the folder has files that no server made
├── NoBridge            this machine does not have the bridge's address
├── NoEnvironment       an image's packages cannot be installed
├── NoSpace             too little space on the disk
├── NoSuchUser          the server has no access key of this user
├── PortInUse           another program listens on the port
└── ServerDied          the server ended, or was not ready in time
"""


class CloudError(Exception):
    """Root of the tree."""


class AlreadyRunning(CloudError):
    """A server runs in this folder."""


class FolderNotOurs(CloudError):
    """The folder has files that no server made, so it is neither used nor deleted."""


class NoBridge(CloudError):
    """This machine does not have the bridge's address, so containers cannot call it there."""


class NoEnvironment(CloudError):
    """An image's packages, or a job's requirements, cannot be installed."""


class NoSpace(CloudError):
    """Too little space on the disk."""


class NoSuchUser(CloudError):
    """The server has no access key of this user."""


class PortInUse(CloudError):
    """Another program listens on the port."""


class ServerDied(CloudError):
    """The server ended, or was not ready in time."""
