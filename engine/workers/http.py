"""The HTTP connector: jobs of type ``http`` call a service and bring its answer into the process.

Inputs are task headers (FEEL when they begin with ``=``) or variables: ``method`` (GET), ``url``, ``headers`` and
``queryParameters`` (contexts), ``body`` (a context or list goes out as JSON, a text as it is), ``timeout`` (seconds, at most the
setting).  Task headers say what becomes of the answer:

``resultVariable``    the variable that takes it: a context with ``status``, ``headers`` and ``body``
``resultExpression``  FEEL over ``response`` and the job's variables; the entries of the context it gives become variables
``errorExpression``   FEEL over ``response`` and ``error``; ``bpmnError(code, message, variables)`` or ``jobError(message, seconds)``, or null
``errorCodes``        ``404=NOT_FOUND, 4xx=REFUSED, 503=retry, 501=fail``: BPMN error codes, or the two words, by status

Keys of other services do not belong into a model: the FEEL of the inputs' task headers sees ``secrets.NAME``, the value of the environment
variable ``BANJIE_HTTP_SECRET_NAME`` (``headers``: ``={Authorization: "Bearer " + secrets.NAME}``).

By itself, 408, 425, 429 and 5xx are tried again (after the pause of ``Retry-After``, if there is one), and every other answer that
is no success is a failure that somebody must look at.
"""

from __future__ import annotations

import json
import os
import re
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore
import httpx

from engine.workers.addresses import AllowedHosts, Resolve, resolve
from engine.workers.registry import Worker
from engine.workers.settings import WorkerSettings
from engine.workers.transport import CheckedTransport, Deadline, plain_host, tls_context
from engine.workers.work import BpmnError, JobContext, JobFailed

SECRET_PREFIX = "BANJIE_HTTP_SECRET_"
"""Environment variables whose values the inputs of a call may name."""
MAX_REDIRECTS = 5
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
TRY_AGAIN = frozenset({408, 425, 429})
"""Client errors that pass by themselves; all 5xx do so, too (RFC 9110 §15, RFC 6585 §4)."""
LONGEST_RETRY_AFTER = timedelta(days=1)
STAY_AT_HOME = frozenset({"accept", "accept-encoding", "content-length", "content-type", "host", "transfer-encoding", "user-agent"})
"""Request headers that may follow a redirect to another host; keys and cookies are for the first one only."""

_CODE = re.compile(r"(?P<status>[1-5]\d\d|[1-5]xx)\s*=\s*(?P<code>\S+)", re.IGNORECASE)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?|")
"""RFC 9110 §5.1 and §5.5; other than ASCII is left out, because nobody knows how the other side would read it."""
_TEXTUAL = re.compile(r"text/|application/(.+\+)?(json|xml)|application/x-www-form-urlencoded", re.IGNORECASE)


class HttpConnector:
    """Calls for one set of settings; safe from many threads.

    ``resolve`` looks up hosts and ``stopwatch`` measures seconds (tests put their own here).
    """

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        resolve: Resolve = resolve,
        stopwatch: Callable[[], float] = time.monotonic,
        tls: ssl.SSLContext | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._hosts = AllowedHosts(settings.http_hosts, settings.http_internal_hosts, resolve)
        self._longest, self._largest = settings.http_timeout_seconds, settings.http_response_max_bytes
        self._stopwatch, self._tls = stopwatch, tls or tls_context()
        found = {name.removeprefix(SECRET_PREFIX): value for name, value in environ.items() if name.startswith(SECRET_PREFIX)}
        self._context = {"secrets": found}

    def workers(self) -> list[Worker]:
        """The worker for jobs of type ``http``."""
        return [Worker("http", self.call, timeout=timedelta(seconds=self._longest * 2 + 60))]

    def call(self, job: JobContext) -> dict[str, Any] | None:
        """Do one job.  Raises :class:`BpmnError` or :class:`JobFailed`."""
        codes = error_codes(job.headers.get("errorCodes", ""))
        seconds = self._seconds(job)
        deadline = Deadline(seconds, self._stopwatch)
        transport = CheckedTransport(self._hosts, deadline, self._tls)
        with httpx.Client(transport=transport, trust_env=False, headers={"User-Agent": "banjie", "Accept-Encoding": "identity"}) as client:
            request = _request(client, job, self._context)
            place = f"{request.method} {request.url.copy_with(query=None, fragment=None)}"
            try:
                answer = self._exchange(client, request)
            except (httpcore.TimeoutException, httpx.TimeoutException) as trouble:
                raise JobFailed("%(place)s did not answer within %(seconds)s seconds.", place=place, seconds=f"{seconds:g}") from trouble
            except (httpcore.LocalProtocolError, httpx.LocalProtocolError, httpcore.UnsupportedProtocol) as trouble:
                raise JobFailed(
                    "%(place)s is no request that can be sent: %(why)s", retry=False, place=place, why=str(trouble)
                ) from trouble
            except (httpcore.NetworkError, httpcore.ProtocolError, httpx.TransportError, OSError) as trouble:
                why = str(trouble) or type(trouble).__name__
                raise JobFailed("%(place)s cannot be reached: %(why)s", place=place, why=why) from trouble
        return _outcome(job, place, answer, codes)

    def _seconds(self, job: JobContext) -> float:
        wanted = job.given("timeout", self._longest)
        try:
            seconds = float(wanted)
        except (TypeError, ValueError):
            seconds = 0
        if not 0 < seconds < float("inf"):
            raise JobFailed("The time limit of a call is a number of seconds, not “%(given)s”.", retry=False, given=str(wanted)[:100])
        return min(seconds, self._longest)

    def _exchange(self, client: httpx.Client, request: httpx.Request) -> dict[str, Any]:
        for _ in range(MAX_REDIRECTS + 1):
            url = request.url
            self._hosts.check(url.scheme, plain_host(url.host), url.port or {"http": 80, "https": 443}.get(url.scheme, 0))
            response = client.send(request, stream=True, follow_redirects=False)
            try:
                following = response.next_request
                if following is None:
                    return self._read(response)
            finally:
                response.close()
            request = _redirected(request, following)
        raise JobFailed("%(host)s redirects in circles.", retry=False, host=request.url.host)

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        encoding = response.headers.get("content-encoding", "identity")
        if encoding.lower() not in ("", "identity"):
            # It was not asked for, and unpacking could make a small answer a huge one.
            raise JobFailed(
                "%(host)s sends its answer packed (%(encoding)s).", retry=False, host=response.request.url.host, encoding=encoding
            )
        content = bytearray()
        for chunk in response.iter_raw():
            content += chunk
            if len(content) > self._largest:
                raise JobFailed(
                    "The answer of %(host)s is larger than %(limit)d bytes.",
                    retry=False,
                    host=response.request.url.host,
                    limit=self._largest,
                )
        return {"status": response.status_code, "headers": _headers(response.headers), "body": _body(response, bytes(content))}


# --- the request -------------------------------------------------------------------------------------------------------------


def _request(client: httpx.Client, job: JobContext, context: Mapping[str, Any]) -> httpx.Request:
    method, url = str(job.given("method", "GET")).upper(), job.given("url", None, context)
    if method not in METHODS:
        raise JobFailed("“%(method)s” is no method of HTTP.", retry=False, method=method[:40])
    if not isinstance(url, str) or not url.strip():
        raise JobFailed("The job names no “url”.", retry=False)
    headers, parameters, body = (job.given(name, None, context) for name in ("headers", "queryParameters", "body"))
    for name, value in (("headers", headers), ("queryParameters", parameters)):
        if value is not None and not isinstance(value, Mapping):
            raise JobFailed("“%(name)s” of the call must be a context.", retry=False, name=name)
    try:
        address = httpx.URL(url.strip())
        if address.userinfo:
            raise JobFailed("Passwords do not belong into an address; send a header.", retry=False)
        if parameters:
            address = address.copy_merge_params({name: _plain(value) for name, value in parameters.items() if value is not None})
        made = {"Idempotency-Key": job.idempotency_key}
        given = {str(name): _plain(value) for name, value in (headers or {}).items() if value is not None}
        for name, value in given.items():
            if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
                # Checked here because the library's refusal would show the value, which may be a key.
                raise JobFailed("The header “%(name)s” has characters that HTTP does not allow.", retry=False, name=name[:100])
        names = {name.lower() for name in given}
        merged = {**{name: value for name, value in made.items() if name.lower() not in names}, **given}
        if body is None or method in ("GET", "HEAD"):
            return client.build_request(method, address, headers=merged)
        if isinstance(body, str):
            if "content-type" not in names:
                merged["Content-Type"] = "text/plain; charset=utf-8"
            return client.build_request(method, address, headers=merged, content=body.encode())
        if "content-type" not in names:
            merged["Content-Type"] = "application/json"
        return client.build_request(method, address, headers=merged, content=json.dumps(body, ensure_ascii=False, default=_number).encode())
    except (httpx.InvalidURL, UnicodeError, ValueError, TypeError) as trouble:
        raise JobFailed("This is no request that can be sent: %(why)s", retry=False, why=str(trouble)) from trouble


def _plain(value: Any) -> str:
    """A header or parameter as text; numbers and truth values as JSON has them."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_number)


def _number(value: Any) -> int | float:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _redirected(request: httpx.Request, following: httpx.Request) -> httpx.Request:
    """The next request of a redirect, as httpx makes it, without what is meant for the first host only."""
    if request.url.scheme == "https" and following.url.scheme != "https":
        raise JobFailed("%(host)s redirects from https to %(scheme)s.", retry=False, host=request.url.host, scheme=following.url.scheme)
    here, there = ((each.url.scheme, each.url.host, each.url.port) for each in (request, following))
    if here != there:
        for name in list(following.headers):
            if name.lower() not in STAY_AT_HOME:
                del following.headers[name]
    return following


# --- the answer --------------------------------------------------------------------------------------------------------------


def _headers(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _body(response: httpx.Response, content: bytes) -> Any:
    """JSON as values, other text as text, what is no text as null."""
    kind = response.headers.get("content-type", "text/plain").split(";")[0].strip()
    if not content or not _TEXTUAL.match(kind):
        return None
    if kind.lower().endswith("json"):
        try:
            return json.loads(content, parse_float=Decimal, parse_constant=_no_number)
        except (ValueError, RecursionError):
            pass  # a server in trouble says it is JSON and sends a page: the text is what there is to see
    try:
        return content.decode(response.charset_encoding or "utf-8", "replace").replace("\x00", "�")
    except LookupError:
        return content.decode("utf-8", "replace").replace("\x00", "�")


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def error_codes(text: str) -> dict[str, str]:
    """``404=NOT_FOUND, 5xx=retry`` → ``{"404": "NOT_FOUND", "5xx": "retry"}``.  Raises :class:`JobFailed`."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in re.split(r"[,;\n]", text))):
        entry = _CODE.fullmatch(part)
        if entry is None:
            raise JobFailed("“%(part)s” in errorCodes is not like 404=NOT_FOUND or 5xx=retry.", retry=False, part=part)
        found[entry["status"].lower()] = entry["code"]
    return found


def _outcome(job: JobContext, place: str, response: dict[str, Any], codes: Mapping[str, str]) -> dict[str, Any] | None:
    status = response["status"]
    kept = {name: response} if (name := job.headers.get("resultVariable")) else {}
    _own_judgement(job, response, kept)
    message = f"{place}: HTTP {status}"
    code = codes.get(str(status)) or codes.get(f"{status // 100}xx")
    if code in ("retry", "fail"):
        raise _failed(job, message, response, retry=code == "retry")
    if code is not None:
        raise BpmnError(code, message, kept)
    if not 200 <= status < 300:
        raise _failed(job, message, response, retry=status in TRY_AGAIN or status >= 500)
    expression = job.headers.get("resultExpression")
    if expression:
        result = job.evaluate(expression, {"response": response})
        if not isinstance(result, Mapping):
            raise JobFailed("The resultExpression must give a context; it gives %(what)s.", retry=False, what=_shown(result))
        kept |= result
    return kept or None


def _own_judgement(job: JobContext, response: dict[str, Any], kept: Mapping[str, Any]) -> None:
    """What the model's ``errorExpression`` makes of an answer."""
    expression = job.headers.get("errorExpression")
    if not expression:
        return
    error = None if 200 <= response["status"] < 300 else {"code": str(response["status"]), "message": f"HTTP {response['status']}"}
    judged = job.evaluate(expression, {"response": response, "error": error, "bpmnError": bpmn_error, "jobError": job_error})
    if judged is None:
        return
    if isinstance(judged, Mapping) and judged.get("errorType") == "bpmnError" and judged.get("code"):
        raise BpmnError(str(judged["code"]), str(judged.get("message") or ""), {**kept, **(judged.get("variables") or {})})
    if isinstance(judged, Mapping) and judged.get("errorType") == "jobError":
        seconds = judged.get("retryAfter")
        after = None if seconds is None else min(timedelta(seconds=max(0.0, float(seconds))), LONGEST_RETRY_AFTER)
        raise JobFailed("%(message)s", message=str(judged.get("message") or "jobError"), after=after)
    raise JobFailed("The errorExpression must give bpmnError(…), jobError(…) or null; it gives %(what)s.", retry=False, what=_shown(judged))


def bpmn_error(code: Any, message: Any = "", variables: Any = None) -> dict[str, Any]:
    """The FEEL function ``bpmnError`` of an ``errorExpression``."""
    return {"errorType": "bpmnError", "code": code, "message": message, "variables": variables}


def job_error(message: Any = "", seconds: Any = None) -> dict[str, Any]:
    """The FEEL function ``jobError`` of an ``errorExpression``; ``seconds`` is the pause before the next attempt."""
    return {"errorType": "jobError", "message": message, "retryAfter": seconds}


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:200]


def _failed(job: JobContext, message: str, response: dict[str, Any], *, retry: bool) -> JobFailed:
    after = retry_after(response["headers"].get("retry-after"), job.now()) if retry else None
    return JobFailed("%(message)s", message=message, retry=retry, after=after)


def retry_after(text: str | None, now: datetime) -> timedelta | None:
    """The pause that a server asks for (RFC 9110 §10.2.3): seconds or an instant; at most a day.  ``None``: it asks for none."""
    if not text:
        return None
    if text.strip().isdigit():
        return min(timedelta(seconds=min(int(text.strip()[:9]), 10**9)), LONGEST_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    pause = until - now if until.tzinfo is not None else None
    return None if pause is None else min(max(pause, timedelta(0)), LONGEST_RETRY_AFTER)
