"""Settings: ``config.yaml``, overridden by the environment, checked before anything starts.

The table :data:`FIELDS` is the whole truth: which settings exist, what each may be and what it is when left out.  A wrong
setting raises :class:`SettingsError`, whose sentence names the file, the line and what is allowed.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from engine.errors import EngineError
from engine.words import T

ENVIRONMENT_PREFIX = "BANJIE_"


class SettingsError(EngineError):
    """A setting cannot be used.  ``place`` is ``file:line`` or the name of the environment variable."""

    def __init__(self, place: str, message: Any) -> None:
        self.place = place
        super().__init__(T("%(place)s: %(message)s", place=place, message=message))


@dataclass(frozen=True)
class Settings:
    """Every setting, checked.  ``folder`` is where ``config.yaml`` stands; ``var/`` and relative paths start there.

    Seconds, minutes and bytes are as the names say; ``office_hours`` are local times of the office (Asia/Shanghai).  What each setting
    means stands beside it in ``config.yaml``.
    """

    folder: Path
    database: str
    database_pool_size: int
    host: str
    port: int
    threads: int
    live_streams: int
    trusted_proxies: int
    secure_cookies: bool
    secret_key: str
    node_name: str
    office_name: str
    region: str
    languages: tuple[str, ...]
    office_hours: tuple[tuple[time, time], ...]
    demo: bool
    session_idle_seconds: int
    lockout_failures: int
    lockout_minutes: int
    password_min_length: int
    design_second_approval: bool
    design_runs_at_once: int
    order_number: str
    bulletin_number: str
    paused_long_workdays: int
    card_number: str
    upload_max_bytes: int
    max_request_bytes: int
    upload_extensions: tuple[str, ...]
    acquirer_interval_seconds: int
    clock_tolerance_seconds: int
    cache_seconds: int
    notify_candidates_up_to: int
    outbox_channels: tuple[str, ...]
    public_url: str
    digest_more_than: int
    delivery_attempts: int
    wecom_url: str
    dingtalk_url: str
    webhook_url: str
    sms_sender: str
    history_level: str
    history_ttl_days: int
    workers: tuple[str, ...]
    workers_in_process: tuple[str, ...]
    worker_threads: int
    worker_poll_seconds: int
    http_hosts: tuple[str, ...]
    http_internal_hosts: tuple[str, ...]
    http_timeout_seconds: int
    http_response_max_bytes: int
    smtp_host: str
    smtp_port: int
    smtp_tls: str
    smtp_user: str
    smtp_password: str = field(repr=False)
    smtp_timeout_seconds: int
    mail_from: str

    @property
    def var(self) -> Path:
        """The folder for what the program writes itself."""
        return self.folder / "var"


class NotAllowed(ValueError):
    """Raised by a reader of :data:`FIELDS`; the field's own ``allowed`` sentence is shown."""


@dataclass(frozen=True)
class Field:
    """``read`` turns a YAML value or the text of an environment variable into the setting, or raises ``NotAllowed``."""

    default: Any
    allowed: str
    read: Callable[[Any], Any]


def _text(pattern: str = r".*") -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise NotAllowed
        return value

    return read


def _whole(low: int, high: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"\d{1,12}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise NotAllowed
        return value

    return read


def _yes_no(value: Any) -> bool:
    truth = {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else value
    if not isinstance(truth, bool):
        raise NotAllowed
    return truth


def _several(pattern: str, at_least: int = 0) -> Callable[[Any], tuple[str, ...]]:
    def read(value: Any) -> tuple[str, ...]:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, list) or len(value) < at_least:
            raise NotAllowed
        if not all(isinstance(part, str) and re.fullmatch(pattern, part) for part in value) or len(set(value)) != len(value):
            raise NotAllowed
        return tuple(value)

    return read


def _hours(value: Any) -> tuple[tuple[time, time], ...]:
    sessions = _several(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", at_least=1)(value)
    edges = [time.fromisoformat(edge) for session in sessions for edge in session.split("-")]
    if any(later <= earlier for earlier, later in zip(edges, edges[1:], strict=False)):
        raise NotAllowed
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def _database(value: Any) -> str:
    try:
        backend = make_url(value).get_backend_name()
    except (ArgumentError, TypeError, ValueError) as unreadable:
        raise NotAllowed from unreadable
    if backend not in ("sqlite", "postgresql"):
        raise NotAllowed
    # The plain scheme is what administrators copy from elsewhere; the driver is ours to know.
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", value)


_NUMBER = "a whole number from {} to {}"


def _number(default: int, low: int, high: int) -> Field:
    return Field(default, _NUMBER.format(low, high), _whole(low, high))


_ORDER_NUMBER = r"[^{}]{0,20}\{year\}[^{}]{0,20}\{serial\}[^{}]{0,20}"
_ADDRESS = r"|https?://[\w.\-]+(:\d{1,5})?(/[\w./\-]*)?"
_HOSTS = 'a list of host names, like api.example.cn, "api.example.cn:8443" or "*.example.cn"'
_HOST = r"(\*\.)?([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?"

FIELDS: dict[str, Field] = {
    "database": Field("sqlite:///var/banjie.db", "sqlite:///path or postgresql+psycopg://user:password@host/name", _database),
    "database_pool_size": _number(10, 1, 100),
    "host": Field("127.0.0.1", "a host name or an IP address", _text(r"[\w.:\-]+")),
    "port": _number(8080, 1, 65535),
    "threads": _number(8, 1, 64),
    "live_streams": _number(16, 0, 200),
    "trusted_proxies": _number(0, 0, 5),
    "secure_cookies": Field(False, "true or false", _yes_no),
    "secret_key": Field("", "empty, or a text of at least 32 characters", _text(r"|.{32,}")),
    "node_name": Field("", "letters, digits, dots, dashes and underscores, at most 64", _text(r"[\w.\-]{0,64}")),
    "office_name": Field("", "a text", _text()),
    "region": Field("411600", 'six digits in quotes, for example "411600"', _text(r"\d{6}")),
    "languages": Field(("zh", "en"), "a list of zh and en", _several(r"zh|en", at_least=1)),
    "office_hours": Field(
        ((time(8, 30), time(12)), (time(14, 30), time(17, 30))), 'a list of sessions in order of time, like "08:30-12:00"', _hours
    ),
    "demo": Field(False, "true or false", _yes_no),
    "session_idle_seconds": _number(7200, 60, 86400),
    "lockout_failures": _number(5, 1, 100),
    "lockout_minutes": _number(15, 1, 1440),
    "password_min_length": _number(10, 8, 128),
    "design_second_approval": Field(True, "true or false", _yes_no),
    "design_runs_at_once": _number(1, 1, 16),
    "paused_long_workdays": _number(10, 1, 250),
    "order_number": Field("周科督〔{year}〕{serial}号", "a number with {year} and {serial}, each once", _text(_ORDER_NUMBER)),
    "bulletin_number": Field("周科通报〔{year}〕{serial}号", "a number with {year} and {serial}, each once", _text(_ORDER_NUMBER)),
    "card_number": Field("周科监〔{year}〕{serial}号", "a number with {year} and {serial}, each once", _text(_ORDER_NUMBER)),
    "upload_max_bytes": _number(50 * 1024**2, 1024, 1024**3),
    "max_request_bytes": _number(60 * 1024**2, 1024, 2 * 1024**3),
    "upload_extensions": Field(
        ("pdf", "ofd", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "wps", "et", "jpg", "jpeg", "png", "txt", "csv", "zip"),
        "a list of file name extensions in lower case, without the dot",
        _several(r"[a-z0-9]{1,8}"),
    ),
    "acquirer_interval_seconds": _number(5, 1, 3600),
    "clock_tolerance_seconds": _number(30, 1, 3600),
    "cache_seconds": _number(10, 0, 3600),
    "notify_candidates_up_to": _number(5, 0, 1000),
    "outbox_channels": Field((), "a list of mail, sms, wecom, dingtalk and webhook", _several(r"mail|sms|wecom|dingtalk|webhook")),
    "public_url": Field("", "empty, or an address like https://banjie.example.cn", _text(_ADDRESS)),
    "digest_more_than": _number(5, 1, 1000),
    "delivery_attempts": _number(8, 1, 100),
    "wecom_url": Field("", "empty, or an http or https address", _text(_ADDRESS)),
    "dingtalk_url": Field("", "empty, or an http or https address", _text(_ADDRESS)),
    "webhook_url": Field("", "empty, or an http or https address", _text(_ADDRESS)),
    "sms_sender": Field("", "empty, or a class like office.sms:Sender", _text(r"|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")),
    "history_level": Field("activity", "none, activity or full", _text(r"none|activity|full")),
    "history_ttl_days": _number(0, 0, 36_500),
    "workers": Field((), "a list of Python modules, like office.workers", _several(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")),
    "workers_in_process": Field(("*",), 'a list of job types, or "*" for all', _several(r"\*|[^\s,*]{1,255}")),
    "worker_threads": _number(2, 1, 64),
    "worker_poll_seconds": _number(2, 1, 3600),
    "http_hosts": Field((), _HOSTS, _several(_HOST)),
    "http_internal_hosts": Field((), _HOSTS, _several(_HOST)),
    "http_timeout_seconds": _number(30, 1, 600),
    "http_response_max_bytes": _number(1024**2, 1024, 64 * 1024**2),
    "smtp_host": Field("", "empty, or a host name or an IP address", _text(r"[\w.:\-]*")),
    "smtp_port": _number(587, 1, 65535),
    "smtp_tls": Field("starttls", "starttls, tls or none", _text(r"starttls|tls|none")),
    "smtp_user": Field("", "a text", _text()),
    "smtp_password": Field("", "a text", _text()),
    "smtp_timeout_seconds": _number(30, 1, 600),
    "mail_from": Field("", "empty, or an e-mail address", _text(r"|[\w.+\-]+@[\w.\-]+")),
}
"""Name of a setting → what it may be.  ``demo`` is off unless a file says otherwise."""


def load_settings(path: str | Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of ``path``; ``environ`` defaults to the process's environment.

    Raises :class:`SettingsError` for a file that is missing or is not YAML, for a setting that is unknown, given twice or not
    allowed, and for settings that contradict each other.  Writes nothing: an empty ``secret_key`` stays empty here, see
    :func:`with_secret`.
    """
    path = Path(path)
    environ = os.environ if environ is None else environ
    places: dict[str, str] = {}
    values = {name: field.default for name, field in FIELDS.items()}
    for name, (value, line) in _read_file(path).items():
        places[name] = f"{path}:{line}"
        values[name] = _checked(places[name], name, value)
    for name in FIELDS:
        variable = ENVIRONMENT_PREFIX + name.upper()
        if variable in environ:
            places[name] = variable
            values[name] = _checked(variable, name, environ[variable])
    if values["max_request_bytes"] < values["upload_max_bytes"]:
        place = places.get("max_request_bytes") or places.get("upload_max_bytes") or str(path)
        raise SettingsError(place, T("“max_request_bytes” must be at least “upload_max_bytes”, otherwise no file of that size could arrive."))
    if values["smtp_host"] and not values["mail_from"]:
        place = places.get("smtp_host", str(path))
        raise SettingsError(place, T("“mail_from” must be the address that mails are sent from when “smtp_host” is set."))
    values["node_name"] = values["node_name"] or socket.gethostname()
    return Settings(folder=path.resolve().parent, **{**values, "database": _anchored(values["database"], path.resolve().parent)})


def with_secret(settings: Settings) -> Settings:
    """``settings`` with a secret key: the configured one, else that of ``var/secret``, which is made when it is missing.

    Raises :class:`SettingsError` when the file can neither be read nor written.
    """
    if settings.secret_key:
        return settings
    file = settings.var / "secret"
    try:
        settings.var.mkdir(exist_ok=True)
        try:
            # Exclusive creation: of two nodes that start at the same time, one makes the key and both use it.
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as fresh:
                fresh.write(secrets.token_hex(32))
        except FileExistsError:
            pass  # the usual case: made at an earlier start
        key = file.read_text(encoding="ascii").strip()
    except OSError as trouble:
        raise SettingsError(str(file), T("the key for sessions cannot be kept here (%(why)s); set “secret_key”.", why=trouble.strerror)) from trouble
    if len(key) < 32:
        raise SettingsError(str(file), T("the key is too short; delete the file and a new one is made."))
    return replace(settings, secret_key=key)


def _checked(place: str, name: str, value: Any) -> Any:
    field = FIELDS[name]
    try:
        return field.read(value)
    except NotAllowed:
        shown = "…" if name in ("secret_key", "database", "smtp_password") else value
        raise SettingsError(place, T("“%(name)s” is %(value)s; allowed: %(allowed)s.", name=name, value=str(shown), allowed=field.allowed)) from None


def _anchored(database: str, folder: Path) -> str:
    """A relative SQLite path starts at the settings' folder, wherever the program was started."""
    url = make_url(database)
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:") or Path(url.database).is_absolute():
        return database
    return url.set(database=str(folder / url.database)).render_as_string(hide_password=False)


def _read_file(path: Path) -> dict[str, tuple[Any, int]]:
    """Setting → (value, line).  Composed rather than loaded, because only YAML's nodes know their lines."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SettingsError(str(path), T("the file does not exist; copy config.yaml from the installation or name another with --config.")) from None
    except (OSError, UnicodeDecodeError) as trouble:
        raise SettingsError(str(path), T("the file cannot be read as UTF-8 text: %(why)s", why=str(trouble))) from trouble
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return {}
        if not isinstance(root, yaml.MappingNode):
            raise SettingsError(f"{path}:1", T("the file must be a list of “name: value” lines."))
        found: dict[str, tuple[Any, int]] = {}
        for key_node, value_node in root.value:
            name, line = key_node.value, key_node.start_mark.line + 1
            if name not in FIELDS:
                raise SettingsError(f"{path}:{line}", _unknown(str(name)))
            if name in found:
                raise SettingsError(f"{path}:{line}", T("“%(name)s” is given a second time; keep one of them.", name=name))
            found[name] = (loader.construct_object(value_node, deep=True), value_node.start_mark.line + 1)
        return found
    except yaml.MarkedYAMLError as trouble:
        line = trouble.problem_mark.line + 1 if trouble.problem_mark else 1
        raise SettingsError(f"{path}:{line}", T("this is not YAML: %(why)s", why=trouble.problem or "")) from trouble
    finally:
        loader.dispose()


def _unknown(name: str) -> Any:
    near = get_close_matches(name, FIELDS, n=1)
    if near:
        return T("there is no setting “%(name)s”; did you mean “%(near)s”?", name=name, near=near[0])
    return T("there is no setting “%(name)s”. Settings: %(all)s.", name=name, all=", ".join(FIELDS))
