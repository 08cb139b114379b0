"""What the properties panel writes for several people on one step, filled in from the same texts as the panel's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TERMS = json.loads((ROOT / "web/assets/designer/panel/signing_terms.json").read_text(encoding="utf-8"))
MODES = {mode["id"]: mode for mode in TERMS["modes"]}


def filled(text: str, values: dict[str, str]) -> str:
    """``$name`` replaced until nothing is left to replace."""
    for _ in range(6):
        text = re.sub(r"\$(\w+)", lambda match: values[match[1]], text)
    return text


def terms(
    mode: str,
    *,
    members: str = "members",
    recused: str = "",
    present: str = "",
    quorum: str = "",
    of: str = "due",
    share: str = "",
    votes: str = "votes",
) -> dict[str, str | None]:
    """``called`` (whom the step is for), ``ends`` (when no more votes are needed), ``passed``, ``unmet``, ``collected``."""
    chosen = MODES[mode]
    part, whole = (share or chosen.get("share") or "1/1").split("/")
    needed, of_all = (quorum or "0/1").split("/")
    values = {
        "members": members, "recused": recused, "present": TERMS["present"]["list" if present else "plain"].replace("$present", present),
        "due": TERMS["due"]["recused" if recused else "plain"], "quorum": needed, "quorumOf": of_all,
        "votes": votes, "vote": "vote", "signer": "signer", "share": part, "of": whole, "rest": str(int(whole) - int(part)),
        "agreed": TERMS["cast"].replace("$button", "agree"), "opposed": TERMS["cast"].replace("$button", "oppose"),
        "total": TERMS["total"]["due" if of == "due" and present else "called"], "base": TERMS["base"][of],
    }  # fmt: skip
    return {
        "called": filled(TERMS["called"]["quorum" if quorum or present else "plain"], values),
        "ends": filled(chosen["ends"], values) if chosen["ends"] else None,
        "passed": filled(chosen["passed"], values),
        "unmet": filled(TERMS["unmet"], values),
        "collected": filled(TERMS["collected"], values),
    }
