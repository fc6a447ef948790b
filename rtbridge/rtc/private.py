"""Every private name of aiortc and aioice that rtbridge touches, in one place.

aiortc keeps SDP, ICE, DTLS and SCTP; media is ours from the decrypted datagram to the socket. The seams between
the two are not public, so each is named here once, `self_test` looks for all of them when the process starts, and
tests/rtc/test_private.py holds each to what we count on. A process whose seams moved refuses to serve.

Read from aiortc 1.16 and aioice 0.13 (module and name at each function).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import aioice.ice
import aioice.stun
from aiortc import RTCDtlsTransport, RTCIceTransport, RTCPeerConnection, RTCRtpTransceiver, RTCSctpTransport
from aiortc.rtcicetransport import RTCIceGatherer
from aiortc.rtcrtpreceiver import RTCRtpReceiver
from aiortc.rtcrtpsender import RTCRtpSender

from rtbridge.errors import SettingsError
from rtbridge.rtc.rtp import RtpPacket

StunProtocol = aioice.ice.StunProtocol
Connection = aioice.ice.Connection

Candidate = aioice.Candidate
Address = tuple[str, int]
IceSend = Callable[[bytes], Awaitable[None]]


def connection_of(ice: RTCIceTransport) -> Connection:
    """Return the aioice connection under an ICE transport (RTCIceTransport._connection)."""
    return ice._connection


def replace_gathering(
    connection: Connection,
    gather: Callable[..., Awaitable[list[aioice.Candidate]]],
) -> None:
    """Let `gather(component=, addresses=)` find the host candidates (Connection.get_component_candidates).

    It must bring its sockets in by `adopt`.
    """
    setattr(connection, "get_component_candidates", gather)  # noqa: B010 - mypy refuses to assign a method


def adopt(connection: Connection, protocol: StunProtocol) -> None:
    """Make a bound socket one of the connection's (Connection._protocols)."""
    connection._protocols.append(protocol)


def waiting_datagrams(connection: Connection) -> int:
    """Return how many datagrams wait for the DTLS transport (Connection._queue)."""
    return connection._queue.qsize()


def known_remotes(connection: Connection) -> int:
    """Return how many remote candidates there are, found ones included (Connection._remote_candidates)."""
    return len(connection._remote_candidates)


def has_succeeded(connection: Connection, address: Address) -> bool:
    """Tell whether a check of ours to `address` succeeded (Connection._check_list, CandidatePair.state)."""
    return any(
        pair.remote_addr == address and pair.state == aioice.ice.CandidatePair.State.SUCCEEDED
        for pair in connection._check_list
    )


def is_closing(connection: Connection) -> bool:
    """Tell whether the connection ends or has ended; by itself only when consent expired (Connection._closing)."""
    return connection._closing


def selected(connection: Connection) -> tuple[asyncio.DatagramTransport, Address] | None:
    """Return the socket and address of the nominated pair (Connection._nominated), None before and after."""
    pair = connection._nominated.get(1)
    return None if pair is None else (pair.protocol.transport, pair.remote_addr)


def transmit(connection: Connection, datagram: bytes) -> bool:
    """Send a datagram on the nominated pair; return whether there was a way."""
    way = selected(connection)
    if way is None or way[0].is_closing():
        return False
    way[0].sendto(datagram, way[1])
    return True


def srtp_sessions(dtls: RTCDtlsTransport) -> tuple[Any, Any]:
    """Return pylibsrtp's sessions for receiving and sending (RTCDtlsTransport._rx_srtp, _tx_srtp)."""
    return dtls._rx_srtp, dtls._tx_srtp


def take_over_media(transceiver: RTCRtpTransceiver, started: Callable[[], None]) -> None:
    """Keep aiortc's sender and receiver from starting; call `started` when DTLS is up instead.

    RTCPeerConnection.__connect awaits RTCRtpSender.send and RTCRtpReceiver.receive at that moment; both are
    replaced on the objects, so their tasks and the decoder thread never exist.
    """

    async def start(_parameters: object) -> None:
        started()

    setattr(transceiver.sender, "send", start)  # noqa: B010
    setattr(transceiver.receiver, "receive", start)  # noqa: B010


def sending_ssrc(transceiver: RTCRtpTransceiver) -> int:
    """Return the SSRC that the answer names (RTCRtpSender._ssrc)."""
    return transceiver.sender._ssrc


def intercept_sctp(
    sctp: RTCSctpTransport,
    *,
    admit: Callable[[int, int, int], bool],
    failed: Callable[[BaseException], None],
) -> None:
    """Bound what SCTP may pile up, and keep its assertions from killing the DTLS task.

    `admit(stream_id, streams, buffered_bytes)` is asked before each DATA chunk (_receive_data_chunk); a chunk it
    refuses is dropped. `failed` is told what _handle_data raised on a malformed packet.
    """
    receive_data_chunk, handle_data = sctp._receive_data_chunk, sctp._handle_data
    window = sctp._advertised_rwnd

    async def bounded(chunk: Any) -> None:
        streams = len(sctp._inbound_streams) + (chunk.stream_id not in sctp._inbound_streams)
        if admit(chunk.stream_id, streams, window - sctp._advertised_rwnd + len(chunk.user_data)):
            await receive_data_chunk(chunk)

    async def guarded(data: bytes) -> None:
        try:
            await handle_data(data)
        except ConnectionError:
            raise  # the transport is gone: aiortc's own way out
        except Exception as error:  # noqa: BLE001 - a task's border: whatever a peer's bytes make SCTP raise
            failed(error)

    setattr(sctp, "_receive_data_chunk", bounded)  # noqa: B010
    setattr(sctp, "_handle_data", guarded)  # noqa: B010


def unacknowledged(sctp: RTCSctpTransport) -> int:
    """Return how many chunks the far end has not acknowledged yet, sent or not."""
    return len(sctp._outbound_queue) + len(sctp._sent_queue)


def replace_ice_send(ice: RTCIceTransport, send: IceSend) -> None:
    """Put `send` in front of an ICE transport's socket (RTCIceTransport._send), as an impaired network."""
    setattr(ice, "_send", send)  # noqa: B010


def filter_received(
    connection: Connection, filter_: Callable[[bytes, Callable[[bytes], None]], None]
) -> None:
    """Put `filter_(data, deliver)` behind the sockets (Connection.data_received), as an impaired network."""
    received = connection.data_received

    def data_received(data: bytes, component: int) -> None:
        filter_(data, lambda later: received(later, component))

    setattr(connection, "data_received", data_received)  # noqa: B010


def tap_rtp(receiver: RTCRtpReceiver, tap: Callable[[RtpPacket], None]) -> None:
    """Show `tap` every RTP packet that the receiver takes (RTCRtpReceiver._handle_rtp_packet)."""
    handle = receiver._handle_rtp_packet

    async def handle_rtp_packet(packet: Any, arrival_time_ms: int) -> None:
        tap(
            RtpPacket(
                packet.payload_type,
                bool(packet.marker),
                packet.sequence_number,
                packet.timestamp,
                packet.ssrc,
                packet.payload,
            )
        )
        await handle(packet, arrival_time_ms)

    setattr(receiver, "_handle_rtp_packet", handle_rtp_packet)  # noqa: B010


def rewrite_sent(dtls: RTCDtlsTransport, rewrite: Callable[[bytes], bytes]) -> None:
    """Send `rewrite(packet)` for each RTP and RTCP packet, before it is protected (RTCDtlsTransport._send_rtp)."""
    send = dtls._send_rtp

    async def send_rtp(data: bytes) -> None:
        await send(rewrite(data))

    setattr(dtls, "_send_rtp", send_rtp)  # noqa: B010


def ice_sender(ice: RTCIceTransport) -> IceSend:
    """Return an ICE transport's way out (RTCIceTransport._send)."""
    return ice._send


async def settled(ice: RTCIceTransport) -> None:
    """Wait until connect() of a closed transport has returned (RTCIceTransport.__start), so no task stays."""
    start: asyncio.Event | None = getattr(ice, "_RTCIceTransport__start")  # noqa: B009
    if start is not None:
        await start.wait()


_METHODS: tuple[tuple[type, str, tuple[str, ...]], ...] = (
    (StunProtocol, "datagram_received", ("self", "data", "addr")),
    (StunProtocol, "send_stun", ("self", "message", "addr")),
    (StunProtocol, "__init__", ("self", "receiver")),
    (Connection, "get_component_candidates", ("self", "component", "addresses", "timeout")),
    (Connection, "data_received", ("self", "data", "component")),
    (Connection, "gather_candidates", ("self",)),
    (RTCRtpSender, "send", ("self", "parameters")),
    (RTCRtpReceiver, "receive", ("self", "parameters")),
    (RTCRtpReceiver, "_handle_rtp_packet", ("self", "packet", "arrival_time_ms")),
    (RTCDtlsTransport, "_send_rtp", ("self", "data")),
    (RTCSctpTransport, "_receive_data_chunk", ("self", "chunk")),
    (RTCSctpTransport, "_handle_data", ("self", "data")),
)


def self_test() -> None:
    """Look for every name above. Raises SettingsError naming the one that is not there."""
    for owner, name, parameters in _METHODS:
        found = getattr(owner, name, None)
        if found is None or tuple(inspect.signature(found).parameters) != parameters:
            raise SettingsError(
                f"{owner.__module__}.{owner.__name__}.{name}{parameters} is not what it was: "
                "install aiortc 1.16 and aioice 0.13"
            )
    made = RTCSctpTransport.__init__.__code__.co_names  # to make one takes a running loop
    for name in ("_outbound_queue", "_sent_queue"):
        if name not in made:
            raise SettingsError(
                f"RTCSctpTransport has no {name} any more: install aiortc 1.16 and aioice 0.13"
            )
    connection = Connection(ice_controlling=False)
    gatherer = RTCIceGatherer(iceServers=[])
    ice = RTCIceTransport(gatherer)
    for thing, names in (
        (
            connection,
            (
                "_protocols",
                "_queue",
                "_remote_candidates",
                "_check_list",
                "_nominated",
                "_closing",
                "local_username",
            ),
        ),
        (ice, ("_connection", "_send", "_RTCIceTransport__start")),
        (aioice.ice, ("get_host_addresses", "CandidatePair")),
        (aioice.stun, ("parse_message", "Class")),
    ):
        for name in names:
            if not hasattr(thing, name):
                raise SettingsError(f"{thing!r} has no {name} any more: install aiortc 1.16 and aioice 0.13")


def peer_parts(pc: RTCPeerConnection) -> tuple[RTCRtpTransceiver, RTCDtlsTransport, RTCIceTransport]:
    """Return the one audio transceiver and its transports."""
    transceiver = pc.getTransceivers()[0]
    dtls = transceiver.receiver.transport
    return transceiver, dtls, dtls.transport
