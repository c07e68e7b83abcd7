"""Finds in what one phone heard whatever tells of the other: its number, name, address, ports, ids; plain or disguised."""

import base64
import re
import urllib.parse
from collections.abc import Iterable, Iterator

from tests.telephony.phones import Owner, Phone


def leaks(heard: Iterable[str], other: Phone) -> list[str]:
    """Each place as `what: line`. Lines are compared without case; what is long enough to be no chance is looked for."""
    found = []
    secrets = [*_secrets(other)]
    for message in heard:
        for line in message.splitlines():
            low = urllib.parse.unquote(line).lower()
            found += [f"{what}: {line.strip()}" for what, text in secrets if text in low]
    return found


def _secrets(other: Phone) -> Iterator[tuple[str, str]]:
    yield from of_owner(other.owner)
    yield "port", f":{other.port}"
    yield "sound port", f"m=audio {other.sound_port} "
    yield from _ids(other)


def of_owner(owner: Owner) -> Iterator[tuple[str, str]]:
    """What names a person, in the ways that it might be written."""
    digits = owner.number.removeprefix("+86")
    yield "number", digits
    yield "number backwards", digits[::-1]
    yield "number in hexadecimal", digits.encode().hex()
    yield "number as one", f"{int(digits):x}"
    for start in range(3):  # base64 looks different at each of three places
        coded = base64.b64encode(b"\0" * start + digits.encode()).decode()
        yield "number in base64", coded[4 if start else 0 : 12].lower()
    yield "name", owner.name.lower()
    yield "address", owner.host
    yield "address in hexadecimal", bytes(map(int, owner.host.split("."))).hex()


def _ids(other: Phone) -> Iterator[tuple[str, str]]:
    """What the other made up itself and said: ids of its calls, tags, branches."""
    said = "\n".join(other.said())
    own = {("call id", one) for one in re.findall(r"^Call-ID: *(\S+)", said, re.MULTILINE) if other.owner.number in one}
    own |= {("tag", one) for one in re.findall(r"^(?:From|To): [^\n]*;tag=(\S+)", said, re.MULTILINE)}
    own |= {("branch", one) for one in re.findall(r"branch=(z9hG4bK-[^\s;,]+)", said) if one.startswith("z9hG4bK-")}
    heard = "\n".join(other.heard())
    given = set(re.findall(r"branch=([^\s;,]+)", heard)) | set(re.findall(r"tag=([^\s;,]+)", heard))
    for what, text in own:
        if text not in given or other.owner.number in text:
            yield what, text.lower()
