"""The HTTP connector, against a web server of this machine."""

from __future__ import annotations

import socket
import ssl
import threading
from datetime import timedelta

import pytest
import trustme

from engine.workers import BpmnError, JobFailed, Runner, WorkerSettings, all_workers
from engine.workers.http import HttpConnector, error_codes, retry_after
from tests.bpmn.builder import boundary, error, mapped, service
from tests.workers.conftest import Site


@pytest.fixture
def connector(site):
    """A connector that may call the server of the test: ``connector(http_timeout_seconds=1)``."""

    def make(resolve=None, **settings):
        chosen = {"http_internal_hosts": (site.host,), "http_timeout_seconds": 10, "http_response_max_bytes": 10_000, **settings}
        more = {} if resolve is None else {"resolve": resolve}
        return HttpConnector(WorkerSettings(**chosen), **more)

    return make


@pytest.fixture
def call(connector, site, job):
    """Call a path of the test's server: ``call("/x", {"method": "POST"}, resultVariable="r")``."""

    def run(path, variables=None, **headers):
        return connector().call(job("http", {"url": site.url + path, **(variables or {})}, **headers))

    return run


def failure(run, *arguments, **more):
    with pytest.raises(JobFailed) as failed:
        run(*arguments, **more)
    return failed.value


# --- asking ------------------------------------------------------------------------------------------------------------------


def test_a_call_sends_what_the_model_says_and_brings_back_the_answer(site, call):
    site.answers["/cases"] = (201, {"X-No": "7"}, {"id": 12, "rate": 0.1, "名": "周口"})
    given = {
        "method": "post",
        "headers": {"X-Unit": "kjj", "X-None": None},
        "queryParameters": {"year": 2026, "q": "高企 & co"},
        "body": {"a": [1, "二"]},
    }
    answer = call("/cases?fixed=1", given, resultVariable="answer")["answer"]
    assert (answer["status"], answer["headers"]["x-no"]) == (201, "7")
    assert answer["body"]["id"] == 12 and str(answer["body"]["rate"]) == "0.1" and answer["body"]["名"] == "周口"
    (seen,) = site.seen
    assert (seen["method"], seen["body"]) == ("POST", '{"a": [1, "二"]}')
    assert seen["path"].startswith("/cases?fixed=1&year=2026&q=%E9%AB%98%E4%BC%81")
    headers = seen["headers"]
    assert (headers["X-Unit"], headers["Content-Type"], headers["Host"]) == ("kjj", "application/json", site.host)
    assert "X-None" not in headers


def test_every_attempt_of_a_job_has_the_same_idempotency_key(site, call):
    site.answers["/"] = (200, {}, {})
    call("/")
    call("/", {"method": "POST", "body": "x"})
    call("/", {"headers": {"idempotency-key": "own"}})
    assert [{name.lower(): value for name, value in seen["headers"].items()}["idempotency-key"] for seen in site.seen] == [
        "banjie-job-4711", "banjie-job-4711", "own",
    ]  # fmt: skip


def test_inputs_may_be_task_headers_and_feel(site, connector, job):
    site.answers["/who"] = (200, {}, {})
    connector().call(job("http", {"name": "who", "base": site.url, "method": "DELETE"}, url='=base + "/" + name', method="PUT"))
    assert (site.seen[0]["method"], site.seen[0]["path"]) == ("PUT", "/who")


def test_keys_come_from_the_environment_and_only_task_headers_see_them(site, job):
    site.answers["/"] = (200, {}, {"ok": True})
    settings = WorkerSettings(http_internal_hosts=(site.host,), http_timeout_seconds=10)
    environ = {"BANJIE_HTTP_SECRET_TAX": "s3cret", "BANJIE_SECRET_KEY": "session", "PATH": "/bin"}
    subject = HttpConnector(settings, environ=environ)
    headers = '={Authorization: "Bearer " + secrets.TAX, all: string join(for s in get entries(secrets) return s.key, ",")}'
    given = job(
        "http", {"url": site.url, "body": "=secrets.TAX", "method": "POST"}, headers=headers, resultExpression="={leak: secrets.TAX}"
    )
    assert subject.call(given) == {"leak": None}
    (seen,) = site.seen
    assert (seen["headers"]["Authorization"], seen["headers"]["all"], seen["body"]) == ("Bearer s3cret", "TAX", "=secrets.TAX")


def test_text_goes_out_and_comes_back_as_text(site, call):
    site.answers["/"] = (200, {"Content-Type": "text/plain; charset=gbk"}, "办结".encode("gbk"))
    assert call("/", {"method": "POST", "body": "你好"}, resultVariable="r")["r"]["body"] == "办结"
    assert site.seen[0]["body"] == "你好" and site.seen[0]["headers"]["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("headers", "content", "body"),
    [
        ({"Content-Type": "application/json"}, b"<html>", "<html>"),
        ({"Content-Type": "application/json"}, b"[" * 5000, "[" * 5000),
        ({"Content-Type": "application/json"}, b"NaN", "NaN"),
        ({"Content-Type": "application/problem+json"}, b'{"a": 1}', {"a": 1}),
        ({"Content-Type": "image/png"}, b"\x89PNG", None),
        ({"Content-Type": "text/plain; charset=no-such"}, b"a\x00b", "a�b"),
        ({}, b"", None),
    ],
)
def test_odd_bodies_are_read_as_far_as_they_can_be(site, call, headers, content, body):
    site.answers["/"] = (200, headers, content)
    assert call("/", resultVariable="r")["r"]["body"] == body


@pytest.mark.parametrize(
    "variables",
    [
        {"url": None}, {"url": "   "}, {"url": "http://"}, {"url": "no address"}, {"url": "http://[::"}, {"method": "BREW"}, {"headers": "x"},
        {"queryParameters": [1]}, {"headers": {"X": "a\r\nB: c"}}, {"headers": {"X y": "a"}}, {"headers": {"X": "周"}}, {"timeout": "soon"},
        {"timeout": 0}, {"timeout": -1}, {"url": "ftp://a.cn/"}, {"url": "file:///etc/passwd"}, {"url": "gopher://127.0.0.1/"},
    ],
)  # fmt: skip
def test_what_can_never_be_sent_is_not_tried_again(site, call, variables):
    assert failure(call, "/", variables).retry is False
    assert site.seen == []


def test_a_header_that_cannot_be_sent_is_not_shown(site, call):
    failed = failure(call, "/", {"headers": {"Authorization": "Bearer s3cret\n"}})
    assert "Authorization" in str(failed) and "s3cret" not in str(failed)
    assert failed.__cause__ is None and failed.__context__ is None


def test_passwords_in_addresses_are_refused(site, call):
    assert "header" in str(failure(call, "/", {"url": f"http://li:secret@{site.host}/"}))


# --- where to ----------------------------------------------------------------------------------------------------------------


def test_a_host_that_is_not_listed_is_not_called(site, connector, job):
    failed = failure(connector(http_internal_hosts=(), http_hosts=("example.cn",)).call, job("http", {"url": site.url}))
    assert failed.retry is False and "http_hosts" in str(failed)
    assert site.seen == []


def test_a_listed_host_with_a_private_address_is_not_called(site, connector, job):
    failed = failure(connector(http_internal_hosts=(), http_hosts=(site.host,)).call, job("http", {"url": site.url}))
    assert failed.retry is False and "http_internal_hosts" in str(failed)
    assert site.seen == []


def test_the_connection_goes_to_the_address_that_was_checked(site, connector, job):
    """A name server that says something else at the second question (DNS rebinding) is not asked a second time."""
    site.answers["/"] = (200, {}, {})
    asked = []

    def resolve(host, port):
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    name = f"api.example.cn:{site.port}"
    connector(resolve, http_internal_hosts=(name,)).call(job("http", {"url": f"http://{name}/"}))
    assert asked == ["api.example.cn"]
    assert site.seen[0]["headers"]["Host"] == name


def test_no_proxy_of_the_environment_is_used(site, call, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    site.answers["/"] = (200, {}, {})
    call("/")


def test_certificates_are_checked_against_the_name(site, job):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.example.cn").configure_cert(context)
    secure = Site()
    secure.use_tls(context)
    secure.start()
    secure.answers["/"] = (200, {}, {"ok": True})
    try:
        trusting = ssl.create_default_context()
        authority.configure_trust(trusting)
        names = tuple(f"{name}:{secure.port}" for name in ("api.example.cn", "other.example.cn"))
        settings = WorkerSettings(http_internal_hosts=names, http_timeout_seconds=10)

        def call(name, tls):
            connector = HttpConnector(settings, resolve=lambda host, port: ["127.0.0.1"], tls=tls)
            return connector.call(job("http", {"url": f"https://{name}/"}, resultExpression="={ok: response.body.ok}"))

        assert call(names[0], trusting) == {"ok": True}
        assert "certificate" in str(failure(call, names[1], trusting)).lower()
        assert "certificate" in str(failure(call, names[0], None)).lower()
    finally:
        secure.stop()


# --- redirects ---------------------------------------------------------------------------------------------------------------


def test_redirects_within_the_allowed_hosts_are_followed(site, call):
    site.answers["/old"] = (302, {"Location": "/new"}, "")
    site.answers["/new"] = (200, {}, {"here": True})
    assert call("/old", resultVariable="r")["r"]["body"] == {"here": True}


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest", "http://localhost:1/", "https://example.org/", "file:///etc/passwd", "ftp://a.cn/"]
)
def test_a_redirect_to_anywhere_else_is_not(site, call, target):
    site.answers["/old"] = (302, {"Location": target}, "")
    failed = failure(call, "/old")
    assert failed.retry is False
    assert len(site.seen) == 1


def test_a_redirect_to_a_private_address_behind_an_allowed_name_is_not_followed(site, connector, job):
    site.answers["/old"] = (307, {"Location": "http://inner.example.cn/"}, "")
    addresses = {"127.0.0.1": ["127.0.0.1"], "inner.example.cn": ["10.0.0.5"]}
    subject = connector(lambda host, port: addresses[host], http_hosts=("*.example.cn",))
    assert "10.0.0.5" in str(failure(subject.call, job("http", {"url": f"{site.url}/old"})))


def test_redirects_in_circles_end(site, call):
    site.answers["/round"] = (302, {"Location": "/round"}, "")
    assert "circles" in str(failure(call, "/round"))
    assert len(site.seen) == 6


def test_keys_do_not_follow_a_redirect_to_another_host(site, connector, job):
    other = Site()
    other.answers["/new"] = (200, {}, {})
    other.start()
    site.answers["/old"] = (307, {"Location": f"{other.url}/new"}, "")
    try:
        subject = connector(http_internal_hosts=(site.host, other.host))
        keys = {"Authorization": "Bearer x", "X-Api-Key": "x", "Cookie": "a=b", "Accept": "application/json"}
        subject.call(job("http", {"url": f"{site.url}/old", "method": "POST", "body": {"a": 1}, "headers": keys}))
        (seen,) = other.seen
        assert seen["body"] == '{"a": 1}' and seen["headers"]["Accept"] == "application/json" and seen["headers"]["Host"] == other.host
        assert not {"authorization", "x-api-key", "cookie", "idempotency-key"} & {name.lower() for name in seen["headers"]}
    finally:
        other.stop()


# --- limits ------------------------------------------------------------------------------------------------------------------


def test_an_answer_that_is_too_large_is_cut_off(site, call):
    site.answers["/"] = (200, {}, "x" * 10_001)
    failed = failure(call, "/")
    assert failed.retry is False and "10000 bytes" in str(failed)


def test_an_endless_answer_is_cut_off(site, call):
    ended = threading.Event()

    def endless(handler):
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        try:
            while True:
                handler.wfile.write(b"x" * 65536)
        except OSError:
            ended.set()

    site.answers["/"] = endless
    assert "larger" in str(failure(call, "/"))
    assert ended.wait(30)


def test_a_packed_answer_is_refused(site, call):
    site.answers["/"] = (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b")
    assert failure(call, "/").retry is False
    assert site.seen[0]["headers"]["Accept-Encoding"] == "identity"


class Steps:
    """A stopwatch on which every look costs a second."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1
        return self.now


def test_a_server_that_dribbles_is_cut_off_when_the_time_is_over(site, job):
    """Each byte comes in time, all of them do not: the limit is for the whole call."""
    over = threading.Event()

    def dribble(handler):
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            while not over.is_set():
                handler.wfile.write(b"x")
                handler.wfile.flush()
        except OSError:
            pass  # the client has gone, as it should
        handler.close_connection = True

    site.answers["/"] = dribble
    settings = WorkerSettings(http_internal_hosts=(site.host,), http_timeout_seconds=20, http_response_max_bytes=10**9)
    try:
        failed = failure(HttpConnector(settings, stopwatch=Steps()).call, job("http", {"url": site.url + "/", "timeout": 15}))
        assert failed.retry is True and "within 15 seconds" in str(failed)
    finally:
        over.set()


def test_a_server_that_says_nothing_is_left(connector, site, job):
    go_on = threading.Event()
    site.answers["/"] = lambda handler: go_on.wait(30) and setattr(handler, "close_connection", True)
    failed = failure(connector().call, job("http", {"url": site.url + "/", "timeout": 0.2}))
    go_on.set()
    assert failed.retry is True and "0.2 seconds" in str(failed)


def test_a_server_that_is_not_there_is_tried_again(connector, job):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        failed = failure(connector(http_internal_hosts=(place,)).call, job("http", {"url": f"http://{place}/?token=secret"}))
    assert failed.retry is True and place in str(failed) and "secret" not in str(failed)


def test_a_server_that_talks_nonsense_is_tried_again(site, call):
    def nonsense(handler):
        handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        handler.close_connection = True

    site.answers["/"] = nonsense
    assert failure(call, "/").retry is True


# --- what becomes of it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "retry"), [(400, False), (404, False), (408, True), (425, True), (429, True), (500, True), (503, True), (304, False)]
)
def test_by_itself_only_what_passes_is_tried_again(site, call, status, retry):
    site.answers["/"] = (status, {}, "" if status == 304 else "trouble")
    failed = failure(call, "/")
    assert (failed.retry, failed.after) == (retry, None)
    assert f"HTTP {status}" in str(failed)


def test_a_server_says_when_to_come_again(site, call):
    site.answers["/"] = (503, {"Retry-After": "120"}, "")
    assert failure(call, "/").after == timedelta(seconds=120)


def test_the_pause_a_server_asks_for_is_bounded(clock):
    now = clock.now  # 2026-11-02 01:00 UTC
    assert retry_after(None, now) is None
    assert retry_after("Mon, 02 Nov 2026 01:05:00 GMT", now) == timedelta(minutes=5)
    assert retry_after("Mon, 02 Nov 2020 01:05:00 GMT", now) == timedelta(0)
    assert retry_after("999999999999999999999", now) == timedelta(days=1)
    assert retry_after("soon", now) is None


def test_error_codes_make_bpmn_errors_or_say_what_to_do(site, call):
    codes = "404=NOT_FOUND, 4xx=REFUSED; 503=fail, 400=retry"
    for status, code in ((404, "NOT_FOUND"), (409, "REFUSED")):
        site.answers["/"] = (status, {}, {"why": "x"})
        with pytest.raises(BpmnError) as thrown:
            call("/", errorCodes=codes, resultVariable="r")
        assert thrown.value.code == code and thrown.value.variables["r"]["body"] == {"why": "x"}
    for status, retry in ((503, False), (400, True), (500, True)):
        site.answers["/"] = (status, {}, "")
        assert failure(call, "/", errorCodes=codes).retry is retry
    assert error_codes("") == {} and "600" in str(failure(error_codes, "600=X"))


def test_a_result_expression_makes_variables(site, call):
    site.answers["/"] = (200, {}, {"items": [{"n": 1}, {"n": 2}]})
    assert call("/", {"k": 10}, resultExpression="={total: k + sum(response.body.items.n), status: response.status}") == {
        "total": 13,
        "status": 200,
    }
    assert failure(call, "/", resultExpression="=response.status").retry is False
    broken = failure(call, "/", resultExpression="={")
    assert broken.retry is False and "“={”" in str(broken)


def test_an_error_expression_judges_every_answer(site, call):
    site.answers["/"] = (200, {}, {"ok": False, "why": "closed"})
    judge = '=if response.body.ok = false then bpmnError("CLOSED", response.body.why, {at: 5}) else null'
    with pytest.raises(BpmnError) as thrown:
        call("/", errorExpression=judge)
    assert (thrown.value.code, thrown.value.message, thrown.value.variables) == ("CLOSED", "closed", {"at": 5})
    failed = failure(call, "/", errorExpression='=jobError("not yet", 30)')
    assert (str(failed), failed.after) == ("not yet", timedelta(seconds=30))
    site.answers["/"] = (409, {}, {})
    with pytest.raises(BpmnError):
        call("/", errorExpression='=if error.code = "409" then bpmnError("TWICE") else null')
    assert failure(call, "/", errorExpression="=null").retry is False
    assert "errorExpression" in str(failure(call, "/", errorExpression="=5"))


def test_a_process_calls_a_service(engine, deploy, site):
    site.answers["/score"] = (200, {}, {"score": 7})
    step = mapped(
        service("http", resultExpression="={score: response.body.score}", errorCodes="404=UNKNOWN"), {"url": f'="{site.url}/" + what'}
    )
    deploy("p", "start -> j -> a -> end; e -> sorry -> end2", j=step, e=boundary("j", error("UNKNOWN")))
    known, unknown = engine.start("p", {"what": "score"}), engine.start("p", {"what": "nothing"})
    runner = Runner(engine, all_workers(WorkerSettings(http_internal_hosts=(site.host,))))
    assert runner.run_once() == 2
    assert engine.instance(known.key).variables["score"] == 7
    assert {task.instance_key: task.element_id for task in engine.user_tasks()} == {known.key: "a", unknown.key: "sorry"}
