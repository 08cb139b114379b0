"""The mail worker: jobs of type ``mail`` of the processes, and the desk's own notices (``notify.mail``), through one SMTP server.

Inputs of ``mail`` are task headers (FEEL when they begin with ``=``) or variables: ``to``, ``cc``, ``bcc`` (a text with commas, or a
list), ``subject``, ``text``, ``replyTo``.  Task header ``resultVariable``: takes ``messageId`` and ``refused`` (addresses that the
server did not accept while it accepted others); ``errorCode``: the BPMN error for a mail that the server refuses for good.

A server's 4xx answers and broken connections are tried again, its 5xx answers are not (RFC 5321 §4.2.1).  A mail may go out twice
when the connection breaks at the last moment; both then bear the same Message-ID, by which mail programs know them for one.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Iterable
from datetime import timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Any

from engine.errors import EngineError
from engine.workers.registry import Worker
from engine.workers.settings import WorkerSettings
from engine.workers.transport import tls_context
from engine.workers.work import BpmnError, JobContext, JobFailed

MAX_RECIPIENTS = 100
MAX_SUBJECT = 300
ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
"""What an address may look like: the plain form of RFC 5321, without quoted names, comments and address literals."""
_NAMED = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<address>[^<>]*)>\s*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


class Mailer:
    """Sends mails for one set of settings; each by a connection of its own, safe from many threads."""

    def __init__(self, settings: WorkerSettings, *, tls: ssl.SSLContext | None = None) -> None:
        if ADDRESS.fullmatch(settings.mail_from) is None:
            raise EngineError("“mail_from” must be the address that mails are sent from when “smtp_host” is set.")
        self._settings, self._tls = settings, tls or tls_context()

    def workers(self) -> list[Worker]:
        """The workers for ``mail`` and ``notify.mail``."""
        lease, pause = timedelta(seconds=self._settings.smtp_timeout_seconds * 4 + 60), timedelta(seconds=60)
        return [
            Worker("mail", self.send, timeout=lease, backoff=pause),
            Worker("notify.mail", self.notify, timeout=lease, backoff=pause),
        ]

    def send(self, job: JobContext) -> dict[str, Any] | None:
        """A mail of a process.  Raises :class:`JobFailed`, or :class:`BpmnError` where the model names an ``errorCode``."""
        code = job.headers.get("errorCode")
        try:
            message, recipients = self._message(
                job,
                {name: job.given(name) for name in ("to", "cc", "bcc")},
                str(job.given("subject", "")),
                str(job.given("text", "")),
                job.given("replyTo"),
            )
            refused = self._deliver(job, message, recipients)
        except JobFailed as failed:
            if failed.retry or not code:
                raise
            raise BpmnError(code, str(failed)) from failed
        if (name := job.headers.get("resultVariable")) is None:
            return None
        return {name: {"messageId": message["Message-ID"], "refused": refused}}

    def notify(self, job: JobContext) -> None:
        """A notice of the desk (:mod:`engine.runtime.telling.deliveries`): ``logins``, ``subject``, ``text``, and the ``idempotency_key`` that all
        attempts share.  Raises :class:`JobFailed` when nobody of them has an address."""
        logins = [str(login) for login in job.variables.get("logins") or []]
        addresses = [address for login in logins if (address := job.email_of(login)) and ADDRESS.fullmatch(address)]
        if len(addresses) < len(logins):
            job.log.info("%d of %d people have no e-mail address", len(logins) - len(addresses), len(logins))
        if not addresses:
            raise JobFailed("Nobody of the recipients has an e-mail address.", retry=False)
        text = str(job.variables.get("text") or "")
        subject, mark = str(job.variables.get("subject") or text), str(job.variables.get("idempotency_key") or job.idempotency_key)
        # Not everybody in the header: who is told is no news for the others.
        message, _ = self._message(job, {"to": self._settings.mail_from}, subject, text, None, mark)
        self._deliver(job, message, list(dict.fromkeys(addresses)))

    # --- the message -----------------------------------------------------------------------------------------------------

    def _message(
        self, job: JobContext, addressed: dict[str, Any], subject: str, text: str, reply_to: Any, mark: str | None = None
    ) -> tuple[EmailMessage, list[str]]:
        """The message and all whom it goes to; ``mark`` names it among mail programs."""
        message = EmailMessage(policy=SMTP)
        everybody: dict[str, None] = {}
        try:
            message["From"] = Address(addr_spec=self._settings.mail_from)
            for name, given in addressed.items():
                people = list(_addresses(name, given))
                everybody.update(dict.fromkeys(person.addr_spec for person in people))
                if people and name != "bcc":
                    message[name.capitalize()] = people
            if reply_to:
                message["Reply-To"] = list(_addresses("replyTo", reply_to))
            # A line break would begin another header; no control character belongs into a subject.
            message["Subject"] = _CONTROL.sub(" ", subject).strip()[:MAX_SUBJECT]
            message["Date"] = format_datetime(job.now())
            message["Message-ID"] = f"<{mark or job.idempotency_key}@{self._settings.mail_from.rpartition('@')[2]}>"
            message["Auto-Submitted"] = "auto-generated"
            message.set_content(text, charset="utf-8")
        except (MessageError, ValueError, UnicodeError) as trouble:
            raise JobFailed("This mail cannot be written: %(why)s", retry=False, why=str(trouble)) from trouble
        if not everybody:
            raise JobFailed("The mail has no recipient.", retry=False)
        if len(everybody) > MAX_RECIPIENTS:
            raise JobFailed("The mail has more than %(limit)d recipients.", retry=False, limit=MAX_RECIPIENTS)
        return message, list(everybody)

    # --- the server ------------------------------------------------------------------------------------------------------

    def _deliver(self, job: JobContext, message: EmailMessage, recipients: list[str]) -> list[str]:
        """Hand the message to the server; gives the addresses that it refused while it took the others."""
        settings = self._settings
        try:
            server = self._connected()
            try:
                if settings.smtp_user:
                    server.login(settings.smtp_user, settings.smtp_password)
                refused = server.send_message(message, settings.mail_from, recipients)
            finally:
                _leave(server)
        except smtplib.SMTPRecipientsRefused as trouble:
            answers = ", ".join(f"{address}: {code} {_said(said)}" for address, (code, said) in sorted(trouble.recipients.items()))
            for_good = all(code >= 500 for code, _ in trouble.recipients.values())
            raise JobFailed(
                "The mail server accepts none of the recipients (%(answers)s).", retry=not for_good, answers=answers
            ) from trouble
        except smtplib.SMTPResponseException as trouble:
            answer = f"{trouble.smtp_code} {_said(trouble.smtp_error)}"
            raise JobFailed("The mail server refuses: %(answer)s", retry=not 500 <= trouble.smtp_code < 600, answer=answer) from trouble
        except smtplib.SMTPNotSupportedError as trouble:
            raise JobFailed("The mail server cannot do it: %(why)s", retry=False, why=str(trouble)) from trouble
        except (smtplib.SMTPException, OSError) as trouble:
            why = str(trouble) or type(trouble).__name__
            raise JobFailed("The mail server %(host)s cannot be reached: %(why)s", host=settings.smtp_host, why=why) from trouble
        if refused:
            job.log.warning("the mail server refused %d of %d recipients", len(refused), len(recipients))
        return sorted(refused)

    def _connected(self) -> smtplib.SMTP:
        settings = self._settings
        options = {"timeout": settings.smtp_timeout_seconds, "local_hostname": socket.gethostname()}
        if settings.smtp_tls == "tls":
            return smtplib.SMTP_SSL(settings.smtp_host, settings.smtp_port, context=self._tls, **options)
        server = smtplib.SMTP(settings.smtp_host, settings.smtp_port, **options)
        if settings.smtp_tls == "starttls":
            try:
                server.starttls(context=self._tls)
            except BaseException:
                server.close()
                raise
        return server


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye; whatever comes of it, the mail was taken or not before."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def _said(answer: Any) -> str:
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return _CONTROL.sub(" ", text)[:500]


def _addresses(name: str, given: Any) -> Iterable[Address]:
    """``"a@b, Li <c@d>"`` or a list of such.  Raises :class:`JobFailed` naming what is no address."""
    if given is None:
        return
    parts = given if isinstance(given, list | tuple) else str(given).split(",")
    for part in parts:
        text = str(part).strip()
        if not text:
            continue
        named = _NAMED.fullmatch(text)
        spec = named["address"].strip() if named else text
        if ADDRESS.fullmatch(spec) is None or ".." in spec or _CONTROL.search(text):
            raise JobFailed("“%(text)s” in “%(name)s” is no e-mail address.", retry=False, text=_CONTROL.sub(" ", text)[:200], name=name)
        yield Address(display_name=named["name"].strip(' "') if named else "", addr_spec=spec)
