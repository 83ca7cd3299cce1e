"""What can go wrong with AWS on this machine; each message is one line naming the thing and the way out.

CloudError
├── AlreadyRunning      a server runs in this folder
├── FolderNotOurs       the folder holds something that we did not make
├── NoSpace             too little room on the disk
├── PortInUse           another program listens on the port
└── ServerDied          the server ended or hung before it was ready
"""


class CloudError(Exception):
    """Root of the tree."""


class AlreadyRunning(CloudError):
    """A server runs in this folder."""


class FolderNotOurs(CloudError):
    """The folder holds something that we did not make, so we neither use nor delete it."""


class NoSpace(CloudError):
    """Too little room on the disk."""


class PortInUse(CloudError):
    """Another program listens on the port."""


class ServerDied(CloudError):
    """The server ended or hung before it was ready."""
