"""What can go wrong with AWS on this machine; each message is one line naming the thing and the way out.

CloudError
├── AlreadyRunning      a server runs in this folder
├── FolderNotOurs       the folder holds something that we did not make
├── NoBridge            containers cannot reach this machine there
├── NoSpace             too little room on the disk
├── NoSuchUser          the server has no keys of such a user
├── PortInUse           another program listens on the port
└── ServerDied          the server ended or hung before it was ready
"""


class CloudError(Exception):
    """Root of the tree."""


class AlreadyRunning(CloudError):
    """A server runs in this folder."""


class FolderNotOurs(CloudError):
    """The folder holds something that we did not make, so we neither use nor delete it."""


class NoBridge(CloudError):
    """There is no way by which containers on this machine could reach AWS on this machine."""


class NoSpace(CloudError):
    """Too little room on the disk."""


class NoSuchUser(CloudError):
    """The server has no keys of such a user."""


class PortInUse(CloudError):
    """Another program listens on the port."""


class ServerDied(CloudError):
    """The server ended or hung before it was ready."""
