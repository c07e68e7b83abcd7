"""What the switchboard reads and writes: messages, sound, the relay's language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutualaid.providers.numbers.kamailio.switchboard import messages, relay, sdp
from mutualaid.providers.numbers.kamailio.switchboard.dialogs import of_caller, reply
from mutualaid.providers.numbers.kamailio.switchboard.messages import (
    Request,
    Response,
    Unreadable,
    read,
    tag_of,
    uri_of,
    user_of,
)

OURS = frozenset({"127.0.0.1", "127.0.0.2"})
INVITE = (
    b"INVITE sip:+8617000000001@127.0.0.3 SIP/2.0\r\nv: SIP/2.0/UDP 127.0.0.9:5060;branch=z9hG4bKone, SIP/2.0/UDP 10.0.0.1\r\n"
    b'f: "A;tag=false" <sip:+8613800000000@127.0.0.9>\r\n ;tag=true\r\nt: <sip:+8617000000001@127.0.0.3>\r\ni: one@127.0.0.9\r\n'
    b'CSeq: 7 INVITE\r\nm: "A" <sip:a@127.0.0.9:5070;transport=udp>;expires=60\r\nRecord-Route: <sip:127.0.0.3;lr>\r\n'
    b"Subject: secret\r\nContent-Length: 3\r\n\r\nv=0more"
)


def test_a_request_is_read_with_its_short_names_and_folded_lines() -> None:
    invite = read(INVITE)

    assert isinstance(invite, Request) and (invite.method, invite.uri) == ("INVITE", "sip:+8617000000001@127.0.0.3")
    assert (invite.branch, invite.cseq, invite.call_id, invite.body) == (
        "z9hG4bKone",
        (7, "INVITE"),
        "one@127.0.0.9",
        b"v=0",
    )
    assert tag_of(invite.first("from")) == "true", "a name may look like a tag"
    assert uri_of(invite.first("contact")) == "sip:a@127.0.0.9:5070;transport=udp"
    assert "secret" not in repr(invite) and "138" not in repr(invite)


def test_an_answer_repeats_of_the_asker_only_what_it_must() -> None:
    invite = read(INVITE)
    assert isinstance(invite, Request)

    answer = reply(invite, 200, to=of_caller(invite, "ours").ours)
    again = read(answer.encode())

    assert isinstance(again, Response) and again.status == 200
    assert {name for name, _ in again.headers} == {"via", "from", "to", "call-id", "cseq", "record-route"}
    assert tag_of(again.first("to")) == "ours" and tag_of(reply(invite, 486).first("to"))


def test_a_reason_is_ours_whatever_the_phone_wrote() -> None:
    told = read(INVITE.replace(b"INVITE sip:+8617000000001@127.0.0.3 SIP/2.0", b"SIP/2.0 486 ask +8613800000000", 1))

    assert isinstance(told, Response)
    assert told.encode().startswith(b"SIP/2.0 486 Busy Here\r\n")


@pytest.mark.parametrize(
    ("uri", "user"),
    [
        ("sip:+8613800000000@h", "+8613800000000"),
        ("sip:%2B8613800000000;phone-context=x@h", "+8613800000000"),
        ("sips:bob:secret@h:5061;x=y", "bob"),
        ("tel:+8613800000000;ext=1", "+8613800000000"),
        ("sip:h", ""),
        ("<html>", ""),
    ],
)
def test_whom_an_address_names(uri: str, user: str) -> None:
    assert user_of(uri) == user


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        INVITE.replace(b"CSeq: 7 INVITE\r\n", b""),
        INVITE.replace(b"CSeq: 7", b"CSeq: seven"),
        INVITE.replace(b"Content-Length: 3", b"Content-Length: x"),
        INVITE.replace(b"Subject: secret", b"Subject"),
        INVITE.replace(b"secret", b"\xff\xfe"),
        INVITE.replace(b"secret", b"a\nP-Asserted-Identity: <sip:+8613900000000@h>"),
        INVITE.replace(b"secret", b"a\rRoute: <sip:127.0.0.9;lr>"),
        INVITE.replace(b"secret", b"a\0"),
        INVITE.partition(b"\r\n\r\n")[0],
    ],
)
def test_what_is_no_message_is_not_read(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        read(raw)


@given(st.binary(max_size=400), st.integers(0, len(INVITE)))
def test_whatever_comes_is_read_or_refused(noise: bytes, at: int) -> None:
    for raw in (noise, INVITE[:at] + noise + INVITE[at:]):
        try:
            message = read(raw)
        except Unreadable:
            continue
        assert message.cseq[1] and isinstance(message.branch, str)
        read(message.encode())


# ---- sound ---------------------------------------------------------------------------------------------------------

_SOUND = (
    "v=0\r\no=+8613800000000 1 1 IN IP4 127.0.0.9\r\ns=secret\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\na=group:secret\r\n"
    "m=video 5000 RTP/AVP 31\r\na=label:secret\r\n"
    "m=audio 4000 RTP/AVP 8 0 101 97 98\r\ni=secret\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    "a=rtpmap:97 secret/8000\r\na=rtpmap:98 opus/48000/2\r\na=fmtp:98 useinbandfec=1; owner=secret;maxplaybackrate=16000\r\n"
    "a=fmtp:101 0-15,66\r\na=fmtp:8 secret\r\na=ptime:20\r\na=ssrc:1 cname:secret\r\na=x-owner:secret\r\na=sendonly\r\n"
    "m=application 9 UDP/BFCP *\r\na=secret\r\n"
)


def test_of_sound_only_what_is_known_comes_through() -> None:
    offer = sdp.clean(_SOUND.encode(), ours=OURS)

    assert offer.text.splitlines() == [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.9",
        "s=-",
        "c=IN IP4 127.0.0.9",
        "t=0 0",
        "m=audio 4000 RTP/AVP 8 0 101 98",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtpmap:98 opus/48000/2",
        "a=fmtp:98 useinbandfec=1;maxplaybackrate=16000",
        "a=fmtp:101 0-15,66",
        "a=ptime:20",
        "a=sendonly",
    ]


def test_an_answer_has_a_line_for_each_medium_that_was_offered() -> None:
    offer = sdp.clean(_SOUND.encode(), ours=OURS)
    answer = offer.answered("v=0\r\nc=x\r\nm=audio 6000 RTP/AVP 8\r\na=sendrecv\r\n")

    assert [line for line in answer.splitlines() if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 0",
        "m=audio 6000 RTP/AVP 8",
        "m=application 0 UDP/BFCP 0",
    ]
    assert "a=recvonly\r\n" in sdp.again(answer, offer.text, version=2)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=0\r\nm=video 1 RTP/AVP 31\r\nc=IN IP4 1.2.3.4\r\n",
        "v=0\r\nm=audio 1 RTP/AVP 8\r\n",
        "v=0\r\nc=IN IP4 not-an-address\r\nm=audio 1 RTP/AVP 8\r\n",
        "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 1 RTP/SAVP 8\r\n",
        "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 1 RTP/AVP 97\r\na=rtpmap:97 unknown/8000\r\n",
        "v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 1 RTP/AVP " + "1" * 9_000 + "x\r\n",
    ],
)
def test_sound_that_cannot_be_connected_is_said_to_be_so(text: str) -> None:
    with pytest.raises(sdp.Unusable):
        sdp.clean(text.encode(), ours=OURS)


@pytest.mark.parametrize(
    "at",
    [
        *(
            "IP4 127.0.0.1",
            "IP4 203.0.113.5",
            "IP4 127.0.0.9",
            "IP4 224.0.0.1",
            "IP4 169.254.0.1",
            "IP4 127.1",
            "IP4 fade.cafe",
        ),
        *("IP6 ::1", "IP6 ::ffff:127.0.0.1", "IP4 ::1", "IP6 2001:db8::1", "IP6 192.0.2.1"),
    ],
)
def test_no_sound_is_sent_to_the_exchange_itself_nor_to_everybody(at: str) -> None:
    """A phone that says that it hears where the relay is controlled would let the other one speak to it."""
    body = f"v=0\r\nc=IN {at}\r\nm=audio 2223 RTP/AVP 8\r\n"

    with pytest.raises(sdp.Unusable):
        sdp.clean(body.encode(), ours={"127.0.0.1", "203.0.113.5"})


@pytest.mark.parametrize("at", ["IP4 192.168.1.20", "IP4 0.0.0.0"])
def test_a_phone_may_be_anywhere_else(at: str) -> None:
    body = f"v=0\r\nc=IN {at}\r\nm=audio 2223 RTP/AVP 8\r\n"

    assert f"c=IN {at}\r\n" in sdp.clean(body.encode(), ours={"127.0.0.1", "203.0.113.5"}).text


@given(
    st.text(alphabet="138x;=,- ", min_size=1, max_size=40),
    st.sampled_from(["fmtp:8 ", "ptime:", "rtpmap:8 ", "mid:", "x-"]),
)
def test_no_attribute_carries_a_phone(text: str, name: str) -> None:
    body = f"v=0\r\nc=IN IP4 1.2.3.4\r\nm=audio 1 RTP/AVP 8\r\na={name}{text}13800138000{text}\r\n"

    assert "13800138000" not in sdp.clean(body.encode(), ours=OURS).text


# ---- the relay's language ------------------------------------------------------------------------------------------

_WORDS = st.text("aeü:1", max_size=6)
_VALUES = st.dictionaries(_WORDS, st.integers(-(2**40), 2**40) | _WORDS | st.lists(_WORDS, max_size=3), max_size=4)


@given(_VALUES)
def test_what_is_told_to_the_relay_is_what_it_reads(value: object) -> None:
    assert relay.decode(relay.encode(value)) == value


def test_the_relays_language_is_bencoding() -> None:
    assert relay.encode({"b": [1, "ü"], "a": -2}) == "d1:ai-2e1:bli1e2:üee".encode()


@pytest.mark.parametrize("raw", [b"", b"d", b"i", b"ixe", b"9:short"[:3], b"x", b"d1:a", b"li1e"])
def test_what_the_relay_cannot_have_said_is_no_answer(raw: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        relay.decode(raw)


def test_names_of_headers_are_written_as_usual() -> None:
    invite = read(INVITE)

    assert b"\r\nCall-ID: one@127.0.0.9\r\n" in invite.encode() and b"\r\nCSeq: 7 INVITE\r\n" in invite.encode()
    assert messages.REASONS[410] == "Gone"
