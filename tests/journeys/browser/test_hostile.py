"""What somebody writes is shown to others as text, whatever it is: it runs nowhere, and the policy would stop it."""

import re
from urllib.parse import quote

from instance import Instance

from tests.journeys.browser.conftest import DESK, Newcomer
from tests.journeys.browser.neighbour import Neighbour
from tests.journeys.browser.test_moderating import promote

RUN = "window.hacked=1"
NOTE = (
    f"</textarea></p><script>{RUN}</script><img src=x onerror={RUN}><svg onload={RUN}>"
    f'<a href="javascript:{RUN}">点我</a>"onfocus="{RUN}" autofocus=\'{{{{7*7}}}}{{% raw %}}${{7*7}}'
)
SCRIPT = f"<script>{RUN}</script>"
PIECES = (SCRIPT, f"onerror={RUN}", "{{7*7}}", "{% raw %}")
LIVE = """() => [
  window.hacked === undefined ? "" : "it ran",
  ...[...document.querySelectorAll("*")].flatMap(e => [...e.attributes].map(a => [e.tagName, a.name, a.value]))
    .filter(([tag, name, value]) => name.startsWith("on") || /^\\s*javascript:/i.test(value) || name === "srcdoc")
    .map(found => found.join(" ")),
  ...[...document.scripts].filter(s => !s.src).map(() => "an inline script"),
].filter(found => found)"""


async def unharmed(someone: Neighbour, *shown: str) -> None:
    """The page shows these texts, and nothing of them came alive."""
    await someone.sees(*shown)
    assert await someone.page.evaluate(LIVE) == [], someone.path


async def test_stored_texts_execute_nowhere(newcomer: Newcomer, instance: Instance) -> None:
    author, reader, moderator = await newcomer(), await newcomer(), await newcomer()

    # in the form that comes back, then in the post, its card, and one's own list
    await author.open("/sign-in?next=/real-name")
    await author.sign_in()
    await author.prove(f"<img src=x onerror={RUN}>")
    assert author.status == 422
    await unharmed(author)
    await author.prove("王小梅")
    await author.open("/posts/new?kind=need")
    await author.type("note", NOTE)
    await author.press("发布")
    await unharmed(author)
    assert await author.field("note").input_value() == NOTE
    need = await author.publish("need", item="loratadine", note=NOTE)
    await unharmed(author, *PIECES)
    await author.open("/me")
    await unharmed(author)

    await reader.arrive("王读者")
    await reader.publish("offer", item="loratadine", note=NOTE)
    await reader.open("/posts?kind=need")
    await unharmed(reader, "王**")
    await reader.open(need)
    await unharmed(reader, "王**", *PIECES)

    # in a match, and in messages
    await author.first_match()
    await unharmed(author, *PIECES)
    await reader.open(need)
    await reader.press("写留言")
    await reader.type("text", NOTE)
    await reader.press("发送")
    await unharmed(reader, *PIECES)
    await author.open(reader.path)
    await unharmed(author, *PIECES)
    await author.open("/me/notices")
    await unharmed(author)

    # in a report, before a moderator, and in the ruling
    await reader.open(f"{need}/report")
    await reader.tick("reason", "other")
    await reader.type("note", NOTE)
    await reader.press("举报")
    await moderator.arrive("莫公正")
    await promote(moderator, instance)
    await moderator.open("/moderation")
    case = moderator.page.locator("main .card").filter(has_text="{{7*7}}").get_by_role("link")
    await moderator.waits_for(case)
    await unharmed(moderator, *PIECES)
    await moderator._on(case)
    await unharmed(moderator, "王**", *PIECES)
    await moderator.type("note", NOTE)
    await moderator.press("确定处理")
    assert moderator.status == 422
    await unharmed(moderator, *PIECES)


async def test_texts_in_addresses_and_forms_execute_nowhere(newcomer: Newcomer) -> None:
    stranger = await newcomer()
    hostile = quote(f'">{SCRIPT}<img src=x onerror={RUN}>')

    for path in (
        f"/posts?item={hostile}&q={hostile}&region={hostile}&near={hostile}&sort={hostile}",
        f"/sign-in?next={hostile}",
        "/sign-in?next=javascript:window.hacked=1",
        f"/posts/{hostile}",
        f"/{hostile}",
    ):
        await stranger.open(path)
        await unharmed(stranger)
        assert stranger.status in (200, 404, 422)

    await stranger.open("/sign-in?next=javascript:window.hacked=1")
    await stranger.type("phone", f'">{SCRIPT}')
    await stranger.press("发送验证码")
    assert stranger.status == 422
    await unharmed(stranger)
    await stranger.sign_in()
    assert stranger.path == "/"
    await unharmed(stranger)


POLICY = re.compile(r"default-src 'none'; script-src 'nonce-([\w-]{22,})'; style-src 'nonce-\1'; ")
INJECT = """() => {
  const script = document.createElement("script");
  script.textContent = "window.hacked = 'inline'";
  document.body.append(script);
  const button = document.createElement("button");
  button.setAttribute("onclick", "window.hacked = 'handler'");
  document.body.append(button);
  button.click();
  const link = document.createElement("a");
  link.href = "javascript:void(window.hacked = 'link')";
  document.body.append(link);
  link.click();
  return new Promise(done => setTimeout(() => done(window.hacked ?? null), 200));
}"""


async def test_the_policy_stops_what_would_get_in(newcomer: Newcomer) -> None:
    someone = await newcomer()
    await someone.arrive("王小明")
    paths = ("/", "/", "/posts", "/sign-in", "/me", "/posts/new?kind=need", "/posts/nothing")
    nonces = set()

    for path in paths:
        answer = await someone.page.goto(someone.instance.url + path)
        assert answer is not None
        told = POLICY.match((await answer.all_headers())["content-security-policy"])
        assert told is not None, path
        nonces.add(told[1])
    assert len(nonces) == len(paths)
    assert someone.troubles == []  # the pages themselves do nothing that their policy forbids

    for path in paths[1:]:
        await someone.page.goto(someone.instance.url + path)
        assert await someone.page.evaluate(INJECT) is None, path
    stopped = [trouble for trouble in someone.troubles if "Content Security Policy" in trouble]
    assert len(stopped) >= len(paths)
    someone.troubles = [trouble for trouble in someone.troubles if trouble not in stopped]


async def test_without_the_policy_the_same_would_run(newcomer: Newcomer) -> None:
    careless = await newcomer({**DESK, "bypass_csp": True})
    await careless.open("/")

    assert await careless.page.evaluate(INJECT) in ("inline", "handler", "link")
