"""Reading a story's `[media]`: the codec of the caller's leg, the network under it, and whether there is a button."""

from __future__ import annotations

from typing import Final

from rtbridge.replay.story import Media
from rtbridge.replay.tables import Table, suggest
from rtbridge.rtc.formats import CODECS
from rtbridge.rtc.impair import Profile

MAX_SEED: Final = 2**31 - 1
BOUNDS: Final = {"loss": (0.0, 0.5), "burst": (1.0, 10.0), "jitter_ms": (0.0, 200.0), "reorder": (0.0, 0.5)}


def read_media(media: Table | None) -> Media:
    """Return what `[media]` says; problems are noted in the table."""
    if media is None:
        return Media()
    codec = media.text("codec")
    if codec is not None and codec not in CODECS:
        media.add("codec", f'no codec "{codec}"{suggest(codec, CODECS)}')
        codec = None
    net, by_hand = media.table("net", "`net`"), media.boolean("push_to_talk") or False
    media.finish()
    return Media(codec, None if net is None else _network(net), by_hand)


def _network(net: Table) -> Profile:
    found: dict[str, float] = {}
    for key, (least, most) in BOUNDS.items():
        value = net.number(key)
        if value is None:
            continue
        if least <= value <= most:
            found[key] = value
        else:
            net.add(
                key, f"`{key}` must lie between {least:g} and {most:g}, not {value:g}{_HINTS.get(key, '')}"
            )
    seed = net.integer("seed", at_most=MAX_SEED)
    net.finish()
    return Profile(**found, seed=1 if seed is None else seed)


_HINTS: Final = {
    "loss": ": it is a share, 0.02 is 2 %",
    "reorder": ": it is a share, 0.01 is 1 %",
    "burst": ": it is how many packets in a row are lost, in the mean",
}
