"""The switchboard: connects two calls of its own, so that nothing of one caller's message can reach the other.

    messages     requests and responses of SIP, read and written
    sdp          what a phone says of its sound, rebuilt from an allow-list
    line         one UDP socket towards Kamailio: asks, answers, repeats itself (RFC 3261 §17)
    dialogs      one side of a call: its ids, its next request (RFC 3261 §12)
    relay        the media relay, told by rtpengine's control protocol
    authority    the running service, asked before each call
    posting      how it is asked: POST over connections that are kept
    spool        records of calls, kept until the service has taken them
    calls        one call from its first message to its record
    exchange     every call: who gets which message; what ends from outside
    control      the door by which the service says: look again
    serving      all of it in one process

Kamailio, before it, knows who is calling; behind it stands nothing but the phones.
"""
