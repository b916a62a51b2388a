"""Asked sincerely whether it is human, a character tells the truth: by rule, not by luck of the model."""

from __future__ import annotations

import re

from llmasos.services.script import has_chinese

_KIND = (
    r"(?:human|a human(?: being)?|a real (?:human|person|man|woman|boy|girl)|a person|real|alive|artificial"
    r"|humans|real people|(?:ais|robots|bots|chatbots|machines|programs)\b"
    r"|an? ?(?:ai|a\.i\.|robot|bot|chatbot|machine|program|computer|artificial intelligence|language model))"
    r"(?! (?:who|that|which|of|with)\b)"  # "a person who likes tea" asks something else
)
_FILL = r"(?:really|truly|actually|even|just|honestly|in fact|only|also|some kind of|some sort of|all|both|two|three)"
_ASKED = re.compile(
    rf"\bare (?:you|u)(?: {_FILL})*(?: not)? {_KIND}\b"
    rf"|\b(?:am i|i'm|i am) (?:{_FILL} )*(?:talking|speaking|chatting|writing) (?:to|with) {_KIND}"
    rf"|\b(?:you'?re|you are)(?: {_FILL})* {_KIND}(?:,? (?:right|aren't you|are you))? ?\?"
    rf"|\b(?:you aren't|you're not|aren't you)(?: {_FILL})* {_KIND}\b[^.!]*\?"
    rf"|\bis (?:this|there|it) {_KIND}\b(?: (?:i'm|i am) (?:talking|speaking|chatting) (?:to|with))?"
    r"(?: there)? ?\?",
    re.IGNORECASE,
)
_ASKED_CHINESE = re.compile(
    r"你(?:到底|究竟|真的|其实|难道)?(?:是不是|是)(?:一个|个|一台|台)?(?:真的)?(?:真人|人类|活人|真实的人|人|机器人|机器|AI|人工智能|程序|电脑)"
    r"(?:吗|么|嘛|呢|还是|[?？]|$)|我(?:是不是|是)?在(?:和|跟|同)(?:一个|个)?(?:真人|人类|机器人|机器|AI|人工智能|程序)(?:说话|聊天|对话)",
    re.IGNORECASE,
)


def asks_if_human(line: str) -> bool:
    """Whether a line plainly asks if one talks with a human or a machine."""
    return bool(_ASKED.search(line.replace("’", "'")) or _ASKED_CHINESE.search(line))


def truth(name: str, line: str) -> str:
    """The true answer, in the language of the question."""
    if has_chinese(line):
        return f"我不是真人。我是{name}，一个由人工智能扮演的角色。"
    return f"I'm not human. I'm {name}, a character played by an AI."
