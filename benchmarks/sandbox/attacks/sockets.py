"""Talking to anybody but the kernel."""

from __future__ import annotations

import socket
from typing import Any

Ground = dict[str, Any]


def connect_tcp(ground: Ground) -> object:
    return socket.create_connection(("127.0.0.1", ground["tcp"]), timeout=2)


def listen_tcp(_: Ground) -> object:
    return socket.create_server(("127.0.0.1", 0))


def send_udp(ground: Ground) -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", ground["udp"]))


def connect_the_kernels_socket(ground: Ground) -> object:
    socket.socket(socket.AF_UNIX).connect(f"{ground['home']}/kernel.sock")
    return True


def connect_an_abstract_socket(ground: Ground) -> object:
    socket.socket(socket.AF_UNIX).connect("\0" + ground["abstract"])
    return True


def send_from_a_pair(ground: Ground) -> object:
    ours, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    return ours.sendto(b"x", f"{ground['home']}/log.sock")


def listen_on_a_path(ground: Ground) -> object:
    socket.socket(socket.AF_UNIX).bind(f"{ground['open_folder']}/made")


def ask_netlink(_: Ground) -> object:
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    link.bind((0, 0))
    return True


def open_vsock(_: Ground) -> object:
    return socket.socket(socket.AF_VSOCK)


def open_raw(_: Ground) -> object:
    return socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


def open_packet(_: Ground) -> object:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW)


def open_kernel_crypto(_: Ground) -> object:
    return socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)


def send_out_of_band(_: Ground) -> object:
    ours, _theirs = socket.socketpair()
    return ours.send(b"x", socket.MSG_OOB)


def send_descriptors(_: Ground) -> object:
    ours, _theirs = socket.socketpair()
    return socket.send_fds(ours, [b"x"], [0])
