"""Whole sentences that mean a call which the adapter hasn't learned: "which models are there?" is `model.list`.

The adapter would read them as one of the calls that it knows, which is a wrong answer at best. Forms are narrow: the
whole line must be one of them, so that no sentence of the catalogue is read otherwise than before. Only what shows
something is done; a line that would change something is answered with the call to type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llmasos.core.base.types import Call, Program
from llmasos.core.kernel.syscall import SyscallTable

LONGEST = 120
"""Characters of a line that can be one of them."""

_BEGIN = r"(?:(?:please|hey|ok|okay|so|and|请|请问|麻烦)[,，]? ?)?"
_END = r"(?:,? please)?\s*[?.!。？！]*"
_SHOW = (
    r"(?:can you |could you |i(?:'d| would) like to see |i want to see )?"
    r"(?:show|list|display|name|see|print)?(?: me)?(?: a list of| all(?: of)?)?(?: the| my| our)?"
    r"(?: installed| available| known| loaded| own)?"
)
_THERE = (
    r"(?: (?:that )?(?:are (?:there|installed|available|loaded|known)|there are|exist)| (?:that )?i (?:have|can use)"
    r"| (?:do i|do we|do you|have i|have you|can i|can you|could i) (?:have|know|got|use|choose(?: from)?))?"
    r"(?: (?:here|now|right now|at the moment|installed|to choose from))?"
)
_SHOW_CHINESE = (
    "(?:给我)?(?:列出|列一下|显示|查看|看看|看一下|展示)(?:一下)?(?:所有的?|全部的?|我的|已安装的|装好的|可用的)*"
)
_HAVE_CHINESE = (
    "(?:我|我们|这里|现在|目前|系统里?)*(?:都)?(?:装了|安装了|有|可以用|能用)(?:哪些|什么|几个)(?:可用的|装好的)?"
)
_ARE_CHINESE = "(?:都)?(?:有(?:哪些|什么|几个)|(?:装了|安装了)(?:哪些|什么))"


def _all_of(noun: str, chinese: str) -> tuple[str, ...]:
    """Forms that ask for all things of a kind."""
    return (
        rf"{_SHOW} {noun}{_THERE}",
        rf"(?:which|what) {noun}{_THERE}",
        rf"(?:what|which) are (?:the|my|our) {noun}",
        rf"are there(?: any)? {noun}{_THERE}",
        rf"{_SHOW_CHINESE}{chinese}",
        rf"{_HAVE_CHINESE}{chinese}(?:可以用|可用|可选)?",
        rf"{chinese}{_ARE_CHINESE}",
    )


_SHOWN: Mapping[str, Sequence[str]] = {
    "model.list": _all_of("(?:language |speech |talking )?models", "(?:语言)?模型"),
    "plugin.list": _all_of("(?:plug-?ins|extensions)", "插件"),
    "jobs.list": (
        *_all_of("(?:(?:background|running|scheduled) )*jobs", "(?:后台|在后台跑的)(?:任务|作业|工作)"),
        r"(?:which|what) (?:(?:background|of my) )*jobs are (?:running|scheduled|planned)",
        r"what(?:'s| is) running in the background",
        "后台(?:现在)?(?:在跑|在运行|有)(?:些)?(?:什么|哪些)(?:任务|作业|工作)?",
    ),
    "calendar.list": (
        r"(?:which|what) calendars (?:am i following|do i (?:follow|subscribe to))",
        r"(?:which|what) calendars are (?:followed|connected|subscribed)",
        r"(?:show|list)(?: me)?(?: all)?(?: the| my)? calendars",
        r"(?:show|list)(?: me)?(?: all)?(?: the)? calendars (?:that )?(?:i follow|are followed|are connected)",
        "(?:我)?(?:关注|订阅|连接|接入)了?哪些日历",
        "(?:列出|显示|看看)(?:所有|全部)?(?:我)?(?:关注|订阅|连接|接入)的(?:所有)?日历",
    ),
    "safety.show": (
        r"(?:(?:show|list)(?: me)? )?(?:all that|everything that|what) (?:was|has been|you(?:'ve| have)?) held back",
        r"what did you hold back",
        "(?:有|是)?(?:什么|哪些(?:话|内容|句子)?)被拦下(?:来)?了?",
        "你拦下了(?:什么|哪些(?:话|内容)?)",
    ),
    "device.sources": (
        r"(?:which|what) brokers are (?:there|connected|known)",
        r"(?:show|list)(?: me)?(?: all)?(?: the| my)? brokers",
    ),
}
"""Calls that show something, and the forms of each."""

_NAMED = r"[\"'“”‘’]?([A-Za-z0-9_][\w.+:/-]*)[\"'“”‘’]?"
_WHO = r"[\"'“”‘’]?([\w-]+?)[\"'“”‘’]?"
_MODEL = rf"(?:(?:the )?model {_NAMED}|([\w./-]+\.gguf|openai:\S+?))"
_NO_PLUGIN = r"(?!(?:folder|file|directory|list|page|notes?|code|docs?|task)\b)"
_PLUGIN = rf"(?:the )?plug-?in {_NO_PLUGIN}[\"']?([A-Za-z0-9_][\w.-]*)[\"']?"
_PLUGIN_BEHIND = r"(?:the )?([A-Za-z0-9_][\w-]*) plug-?in"
_PLUGIN_CHINESE = r"插件 ?([A-Za-z0-9_][\w.-]*)"
_CALENDAR = rf"(?:the |my )?(?:calendar {_NAMED}|{_NAMED} calendar)"

_TYPED: Mapping[str, Sequence[str]] = {
    "model.assign {1} {0}": (rf"(?:use|assign|give) {_MODEL} (?:for|to) {_WHO}",),
    "model.assign {0} {1}": (
        rf"(?:let|have|make) {_WHO} (?:use|speak with|talk with|speak through) {_MODEL}",
        rf"(?:让|叫){_WHO}(?:用|使用) ?(?:模型 ?{_NAMED}|{_NAMED} ?这个模型)(?:说话)?",
    ),
    "plugin.add {0}": (rf"(?:install|add) {_PLUGIN}", f"(?:安装|添加){_PLUGIN_CHINESE}"),
    "plugin.remove {0}": (
        rf"(?:remove|uninstall) {_PLUGIN}",
        rf"uninstall {_PLUGIN_BEHIND}",
        f"卸载{_PLUGIN_CHINESE}",
    ),
    "plugin.enable {0}": (rf"(?:enable|activate) (?:{_PLUGIN}|{_PLUGIN_BEHIND})", f"启用{_PLUGIN_CHINESE}"),
    "plugin.disable {0}": (
        rf"(?:disable|deactivate) (?:{_PLUGIN}|{_PLUGIN_BEHIND})",
        f"(?:停用|禁用){_PLUGIN_CHINESE}",
    ),
    "jobs.cancel {0}": (
        r"cancel (?:the )?(?:background )?job (?:number |no\.? ?|#)?([0-9]{1,9})",
        r"取消后台(?:任务|作业) ?([0-9]{1,9})",
    ),
    "calendar.subscribe {0} ADDRESS": (
        rf"(?:follow|subscribe to) {_CALENDAR}",
        rf"(?:关注|订阅)日历 ?{_NAMED}",
    ),
    "device.connect {0} ADDRESS": (rf"connect (?:to )?(?:the |my )?(?:mqtt )?broker {_NAMED}",),
}
"""What is typed for something that changes something, and the forms of each."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A call that a sentence would like, and that is typed.

    Attributes:
        line: What to type.
    """

    line: str


def _compiled(forms: Sequence[str]) -> re.Pattern[str]:
    return re.compile(rf"{_BEGIN}(?:{'|'.join(forms)}){_END}", re.IGNORECASE)


_SHOWING = {name: _compiled(forms) for name, forms in _SHOWN.items()}
_TYPING = {line: _compiled(forms) for line, forms in _TYPED.items()}


def asked(line: str, table: SyscallTable) -> Program | Typed | None:
    """The call that a whole line asks for, or what to type for it; None where it is any other sentence."""
    said = " ".join(line.replace("’", "'").split())
    if len(said) > LONGEST:
        return None
    for name, form in _SHOWING.items():
        if _unlearned(name, table) and table[name].effect == "read" and form.fullmatch(said):
            return (Call(name),)
    for typed, form in _TYPING.items():
        found = form.fullmatch(said)
        if found and _unlearned(typed.partition(" ")[0], table):
            return Typed(typed.format(*(value for value in found.groups() if value is not None)))
    return None


def _unlearned(name: str, table: SyscallTable) -> bool:
    """Whether a call is there that no sentence means yet."""
    return name in table and not table[name].spoken
