"""engine/process/listener.py: a port, or one sentence why not."""

import socket

import pytest

from engine import StartError
from engine.process.listener import listen
from tests.ports import free_port


def test_port_zero_takes_a_free_one() -> None:
    with listen("127.0.0.1", 0, backlog=5) as listener:
        assert listener.getsockname()[1] > 0
        socket.create_connection(listener.getsockname(), timeout=5).close()


def test_a_port_in_use_is_refused_with_the_address_and_the_reason() -> None:
    with listen("127.0.0.1", 0, backlog=5) as first:
        port = first.getsockname()[1]

        with pytest.raises(StartError, match=f"^cannot listen on 127.0.0.1:{port}: Address already in use$"):
            listen("127.0.0.1", port, backlog=5)


def test_a_port_that_was_just_given_up_can_be_taken_again() -> None:
    port = free_port()  # which nobody else is given meanwhile
    with listen("127.0.0.1", port, backlog=5) as first:
        client = socket.create_connection(("127.0.0.1", port), timeout=5)
        first.setblocking(True)
        first.accept()[0].close()  # the server's end closes first and stays behind in TIME_WAIT

    listen("127.0.0.1", port, backlog=5).close()
    client.close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "a..b", "x" * 300])
def test_an_address_that_is_not_here_is_refused(host: str) -> None:
    with pytest.raises(StartError, match=host.replace(".", r"\.")):
        listen(host, 0, backlog=5)


@pytest.mark.parametrize("port", [-1, 65_536, 70_000])
def test_a_port_that_does_not_exist_is_refused_and_not_cut_to_another(port: int) -> None:
    with pytest.raises(StartError, match=str(port)):
        listen("127.0.0.1", port, backlog=5)


def test_ipv6_addresses_work_where_there_is_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    try:
        listener = listen("::1", 0, backlog=5)
    except StartError as error:
        pytest.skip(str(error))

    assert listener.family == socket.AF_INET6
    listener.close()
