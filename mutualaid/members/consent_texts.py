"""What members are asked to consent to: one purpose each, never bundled, in the words that they see.

Whoever changes a sentence raises its version: a consent counts for the version that was read; its row keeps the hash.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, get_args

from mutualaid.kit.texts import Language

Purpose = Literal["health_need", "precise_location", "real_name_check", "phone_masking", "publish_nearby", "notices"]
PURPOSES: Final[tuple[Purpose, ...]] = get_args(Purpose)


@dataclass(frozen=True)
class ConsentText:
    """One purpose's words. Both languages stand here and not in the catalogue: the hash must cover what was said."""

    purpose: Purpose
    version: int
    title: dict[Language, str]
    text: dict[Language, str]

    @cached_property
    def hash(self) -> str:
        """SHA-256 of purpose, version and both languages, in hex."""
        words = [self.purpose, self.version, self.title, self.text]
        return hashlib.sha256(json.dumps(words, ensure_ascii=True, sort_keys=True).encode()).hexdigest()


def _text(purpose: Purpose, version: int, zh_title: str, zh: str, en_title: str, en: str) -> ConsentText:
    return ConsentText(purpose, version, {"zh-Hans": zh_title, "en": en_title}, {"zh-Hans": zh, "en": en})


_ALL: Final = (
    _text(
        "health_need",
        1,
        "健康需求",
        "您发布或申请药品时，我们会处理您所需的药品与数量，这属于敏感个人信息，只用于为您匹配邻居。撤回后，您含有"
        "药品的信息会立即撤下。不同意不影响使用其他功能。",
        "Health need",
        "When you ask for or offer medicine, we process which and how much: sensitive personal information, used "
        "only to match you with neighbours. When you withdraw, your posts with medicine are taken down at once. "
        "Refusing leaves all else open to you.",
    ),
    _text(
        "precise_location",
        1,
        "精确位置",
        "您给出的经纬度会加密保存，只用来确定对外显示的约 1 公里片区，任何人都看不到准确的点。撤回后，准确的点立"
        "即销毁，已发布的信息保留片区。不同意时，您仍可用地区和地址发布。",
        "Precise location",
        "The point you give is stored sealed and only decides the area of about 1 km that others see; nobody is "
        "shown the point itself. When you withdraw, points are destroyed at once and posts keep their area. "
        "Refusing, you may still post by district and address.",
    ),
    _text(
        "real_name_check",
        1,
        "实名核验",
        "您的姓名和证件号码会交给核验机构比对一次。证件号码比对后不保留，只留下无法还原的校验值、核验结果和年龄段"
        "；姓名加密保存，对外只显示姓氏。撤回后，实名标记取消，姓名与校验值删除。",
        "Real-name check",
        "Your name and ID number are compared once by a checking service. The ID number is not kept: what stays "
        "is a value that cannot be turned back, the result and an age band. Your name is stored sealed; others "
        "see the surname only. When you withdraw, the mark ends and both are deleted.",
    ),
    _text(
        "phone_masking",
        1,
        "号码保护",
        "为让您与邻居通话而互不知道号码，我们会把您的手机号交给号码服务商，由其在通话时以中间号替代。撤回后，正在"
        "使用的中间号立即释放，您的信息改为站内留言联系。",
        "Masked calls",
        "So that you and a neighbour can talk without learning each other's number, your phone is given to a "
        "number provider, which puts a number in between. When you withdraw, such numbers are released at once "
        "and your posts turn to messages on the platform.",
    ),
    _text(
        "publish_nearby",
        1,
        "在附近公开",
        "您发布的内容、所在片区和隐去名字的称呼会公开给附近的人看。撤回后，您的全部信息立即撤下。",
        "Shown nearby",
        "What you post, its area and your masked name are shown to people nearby. When you withdraw, all your "
        "posts are taken down at once.",
    ),
    _text(
        "notices",
        1,
        "消息提醒",
        "有人响应您时，我们会用短信或微信提醒您。撤回后，提醒只留在站内收件箱。",
        "Notices",
        "We tell you by text message or WeChat when somebody answers you. When you withdraw, notices stay in the "
        "inbox here.",
    ),
)

TEXTS: Final[dict[Purpose, ConsentText]] = {text.purpose: text for text in _ALL}
