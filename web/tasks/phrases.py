"""Common phrases 常用意见 of the opinion box.  They are what gets written into the files, so they are not translated."""

from __future__ import annotations

PHRASES: tuple[str, ...] = ("同意。", "拟同意，请领导审批。", "请按规定办理。", "情况属实。", "已阅。", "材料不齐，退回补正。", "不同意，理由：")
