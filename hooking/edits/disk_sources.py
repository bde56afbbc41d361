"""Where the data of a disk lie: a path or a URL, and what then stands in the ``<source>`` of a ``<disk>``."""

from __future__ import annotations

from hooking.document import find, only_child
from hooking.values import NAME, Kind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hooking.devices import Disk

_PORTS: Final = {"http": 80, "https": 443, "ftp": 21, "ftps": 990}
_PLACES = ("file", "dev", "protocol", "name", "query")


class DiskSource:
    """The place of a disk's data.

    Args:
        type: The type of disk: ``file``, ``block`` or ``network``.
        attributes: The attributes of its ``<source>``.
        host: The attributes of the ``<host>`` in there, of a network disk.
    """

    __slots__ = ("attributes", "host", "type")

    def __init__(self, type: str, attributes: dict[str, str], host: dict[str, str] | None = None) -> None:
        self.type = type
        self.attributes = attributes
        self.host = host

    def is_of(self, disk: Disk) -> bool:
        """Return whether ``disk`` has its data there."""
        source = find(disk.element, "source")
        if source is None or any(source.get(name) != self.attributes.get(name) for name in _PLACES):
            return False
        host = find(source, "host")
        return self.host is None or (host is not None and self._is_at(host.get("name"), host.get("port")))

    def _is_at(self, name: str | None, port: str | None) -> bool:
        usual = str(_PORTS[self.attributes["protocol"]])
        return {"name": name, "port": port or usual} == self.host

    def give_to(self, disk: Disk) -> None:
        """Let ``disk`` have its data there."""
        disk.type = self.type
        source = only_child(disk.element, "source")
        source.attrib.update(self.attributes)
        if self.host is not None:
            only_child(source, "host").attrib.update(self.host)


def _read(text: str) -> DiskSource:
    NAME.read(text)
    if "://" in text:
        return _read_url(text)
    if not text.startswith("/"):
        raise ValueError(text)
    if text.startswith("/dev/"):
        return DiskSource("block", {"dev": text})
    return DiskSource("file", {"file": text})


def _read_url(text: str) -> DiskSource:
    from urllib.parse import urlsplit

    url = urlsplit(text)
    if not url.hostname or "@" in url.netloc or url.fragment:
        raise ValueError(text)
    port = _PORTS[url.scheme]
    attributes = {"protocol": url.scheme, "name": NAME.read(url.path[1:])}
    if url.query:
        attributes["query"] = url.query
    return DiskSource("network", attributes, {"name": url.hostname, "port": str(url.port or port)})


DISK_SOURCE: Final = Kind(
    f"an absolute path, or a URL ({', '.join(_PORTS)}) of a file, without user or password", _read
)
