"""How a guest's screen is shown, and what its viewer may do."""

from __future__ import annotations

from hooking.document import only_child, remove
from hooking.exceptions import InvalidValueError
from hooking.values import NAME, SWITCH, YES_NO, Kind, choice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from hooking.devices import Graphics

_EFFORT = choice("auto", "never", "always")
_GL: dict[str, Kind[str]] = {"enable": YES_NO, "rendernode": NAME}
_COPYPASTE = {"copypaste": YES_NO}
_OPTIONS: dict[str, dict[str, dict[str, Kind[str]]]] = {
    "spice": {
        "image": {"compression": choice("auto_glz", "auto_lz", "quic", "glz", "lz", "off")},
        "jpeg": {"compression": _EFFORT},
        "zlib": {"compression": _EFFORT},
        "playback": {"compression": SWITCH},
        "streaming": {"mode": choice("filter", "all", "off")},
        "mouse": {"mode": choice("server", "client")},
        "clipboard": _COPYPASTE,
        "filetransfer": {"enable": YES_NO},
        "gl": _GL,
    },
    "dbus": {"clipboard": _COPYPASTE, "gl": _GL},
    "sdl": {"gl": {"enable": YES_NO}},
    "egl-headless": {"gl": {"rendernode": NAME}},
}
"""What libvirt heeds; it silently drops all else."""

_CHANNEL = choice("main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir")
_MODE = choice("secure", "insecure", "any")


def set_graphics_option(graphics: Graphics, element: str, **attributes: str) -> None:
    """Set an option of a graphics device, in the place of an earlier one: ``<image compression='glz'/>``.

    See https://libvirt.org/formatdomain.html#graphical-framebuffers.

    Args:
        graphics: The graphics device. Of type ``spice`` it has ``image``, ``jpeg``, ``zlib``, ``playback``,
            ``streaming``, ``mouse``, ``clipboard``, ``filetransfer`` and ``gl``; ``dbus``, ``sdl`` and
            ``egl-headless`` have some of these.
        element: The name of the option.
        **attributes: Its attributes, as in ``compression="glz"``. Those that are not given stay.

    Raises:
        InvalidValueError: libvirt has no such option for the type of graphics, or no such value for it, or ``gl`` lacks
            ``enable``.
    """
    options = _OPTIONS.get(graphics.type or "", {})
    if not options:
        raise InvalidValueError(f"{graphics.xpath}: graphics of type {graphics.type} have no such options as {element}")
    kinds = options[choice(*options).read(element)]
    texts = {choice(*kinds).read(name): kinds[name].read(value) for name, value in attributes.items()}
    found = graphics.element.find(element)
    missing = {next(iter(kinds))} - {*texts, *([] if found is None else found.keys())}
    if missing:
        raise InvalidValueError(f"{graphics.xpath}/{element} needs the attribute {missing.pop()}")
    only_child(graphics.element, element).attrib.update(texts)


def set_spice_channel(graphics: Graphics, name: str, mode: Literal["secure", "insecure", "any"]) -> None:
    """Say whether a channel of SPICE is encrypted: ``<channel name='main' mode='secure'/>``.

    See https://libvirt.org/formatdomain.html#graphical-framebuffers.

    Args:
        graphics: The graphics device, of type ``spice``.
        name: ``main``, ``display``, ``inputs``, ``cursor``, ``playback``, ``record``, ``smartcard`` or ``usbredir``.
        mode: ``secure``, ``insecure``, or ``any``, which removes what was said of the channel.

    Raises:
        InvalidValueError: The name or the mode is none, or the type is another.
    """
    _CHANNEL.read(name)
    _MODE.read(mode)
    if graphics.type != "spice":
        raise InvalidValueError(f"{graphics.xpath}: only graphics of type spice have a channel {name}")
    channel = only_child(graphics.element, "channel", name=name)
    channel.set("mode", mode)
    if mode == "any":
        remove(channel)
