"""A seller is reported, and a moderator closes the post: three browsers."""

import asyncio
import subprocess
import sys

from instance import Instance

from tests.journeys.browser.conftest import PHONE, Newcomer
from tests.journeys.browser.neighbour import Neighbour

SELLING = "囤了两百盒，想要的赶紧，先到先得"


async def promote(someone: Neighbour, instance: Instance) -> None:
    """As an operator would: by the command line."""
    words = ["member", "promote", "--phone", someone.phone, "--role", "moderator"]
    command = [sys.executable, "-m", "mutualaid.cli", *words]
    done = await asyncio.to_thread(subprocess.run, command, env=instance.environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


async def test_a_moderator_closes_a_sellers_post(newcomer: Newcomer, instance: Instance) -> None:
    seller, reporter, moderator = await newcomer(), await newcomer(PHONE), await newcomer()
    await seller.arrive("钱多多")
    post = await seller.publish("offer", item="ors", note=SELLING)

    # whoever sees it says so
    await reporter.arrive("赵小心")
    await reporter.open(post)
    await reporter.sees(SELLING, "钱**")
    await reporter.follow("举报")
    await reporter.press("举报")
    assert reporter.status == 422
    await reporter.tick("reason", "selling")
    await reporter.type("note", "要我先转账")
    await reporter.press("举报")

    # the queue is for moderators; one takes the case and rules with a reason
    await moderator.arrive("莫公正")
    await moderator.open("/moderation")
    assert moderator.status == 403
    await promote(moderator, instance)
    await moderator.open("/")
    await moderator.follow("待处理")
    case = moderator.page.locator("main .card").filter(has_text=SELLING)
    await moderator.waits_for(case)
    await moderator.look()
    await moderator._on(case.get_by_role("link"))
    await moderator.sees(SELLING, "要我先转账")
    await moderator.press("我来处理")
    await moderator.press("确定处理")
    assert moderator.status == 422
    await moderator.tick("deed", "close")
    await moderator.choose("reason", "selling")
    await moderator.press("确定处理")
    assert moderator.path == "/moderation"
    await moderator.sees_not(SELLING)

    # it is gone for everybody, and the seller is told
    await reporter.open(post)
    assert reporter.status == 404
    await reporter.follow("看看")
    await reporter.sees_not(SELLING)
    await seller.open(post)
    await seller.sees("已被管理员关闭")
    await seller.open("/me/notices")
    await seller.waits_for(seller.page.locator("main .card").filter(has_text="关闭"))
