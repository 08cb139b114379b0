"""Plays scenarios by plain requests, as a browser without scripts would send them: fast enough to kill a server after every step."""

from __future__ import annotations

import http.client
import http.cookiejar
import json
import re
from collections.abc import Mapping
from html import unescape
from typing import Any
from urllib import error, parse, request

from tests.support.served import ServedPlayer
from tests.support.server import PASSWORD

HIDDEN = re.compile(r'<input type="hidden" name="(csrf_token|command_token|revision)" value="([^"]*)"')
CASE_ADDRESS = re.compile(r"/case/(\d+)")


class Answer:
    """Status, text and final address of a response."""

    def __init__(self, status: int, text: str, address: str) -> None:
        self.status, self.text, self.address = status, text, address

    @property
    def hidden(self) -> dict[str, str]:
        """The hidden fields of the page's forms; the last of a name is that of the task's own form."""
        return {name: unescape(value) for name, value in HIDDEN.findall(self.text)}

    @property
    def told(self) -> str:
        """What the page says to people in alerts, for messages of failed tests."""
        alerts = re.findall(r'<(?:div|p)[^>]*role="(?:alert|status)"[^>]*>(.*?)</(?:div|p)>', self.text, re.S)
        errors = re.findall(r'"errors":\s*(\{[^}]+\})', self.text)
        return " | ".join([*(re.sub(r"<[^>]+>", "", each).strip() for each in alerts), *errors])


class Visitor:
    """One person's browser, without a browser: cookies and forms."""

    def __init__(self, url: str, login: str) -> None:
        self.url, self.login = url, login
        self._cookies = http.cookiejar.CookieJar()
        self._opener = request.build_opener(request.HTTPCookieProcessor(self._cookies), request.ProxyHandler({}))

    def sign_in(self) -> Visitor:
        page = self.get("/login")
        answer = self.post("/login", {**page.hidden, "login": self.login, "password": PASSWORD})
        assert answer.status == 200 and "/login" not in answer.address, f"{self.login} could not sign in: {answer.told}"
        return self

    def get(self, path: str) -> Answer:
        return self._send(request.Request(self.url + path))

    def post(self, path: str, fields: Mapping[str, str]) -> Answer:
        return self._send(request.Request(self.url + path, data=parse.urlencode(fields).encode()))

    def send_only(self, path: str, fields: Mapping[str, str]) -> http.client.HTTPConnection:
        """Post and do not wait for the answer; the caller closes the connection."""
        wanted = request.Request(self.url + path)
        self._cookies.add_cookie_header(wanted)
        connection = http.client.HTTPConnection(wanted.host, timeout=60)
        headers = {"Cookie": wanted.get_header("Cookie") or "", "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", path, parse.urlencode(fields), headers)
        return connection

    def listen(self, path: str) -> http.client.HTTPResponse:
        """Ask for something that does not end, and return when its first line has come; the caller closes it."""
        wanted = request.Request(self.url + path)
        self._cookies.add_cookie_header(wanted)
        connection = http.client.HTTPConnection(wanted.host, timeout=30)
        connection.request("GET", path, headers={"Cookie": wanted.get_header("Cookie") or "", "Connection": "close"})
        return connection.getresponse()

    def _send(self, wanted: request.Request) -> Answer:
        try:
            with self._opener.open(wanted, timeout=60) as response:
                return Answer(response.status, response.read().decode("utf-8", "replace"), response.url)
        except error.HTTPError as refused:
            with refused:
                return Answer(refused.code, refused.read().decode("utf-8", "replace"), refused.url)


class RequestsPlayer(ServedPlayer):
    """A :class:`ServedPlayer` that posts the forms of the pages; sessions outlive the server because their key does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._visitors: dict[str, Visitor] = {}

    def visitor(self, login: str) -> Visitor:
        if login not in self._visitors:
            self._visitors[login] = Visitor(self.server.url, login).sign_in()
        return self._visitors[login]

    def _submit(self, by: str, page_path: str, path: str, fields: Mapping[str, str]) -> Answer:
        visitor = self.visitor(by)
        page = visitor.get(page_path)
        assert page.status == 200, f"{page_path} for {by}: {page.status} {page.told}"
        answer = visitor.post(path, {**page.hidden, **fields})
        assert answer.status == 200, f"{path} by {by}: {answer.status} {answer.told}"
        return answer

    def open_case(self, process: str, data: dict[str, Any], by: str) -> int:
        answer = self._submit(by, f"/start/{process}", f"/start/{process}", {"data": json.dumps(data)})
        found = CASE_ADDRESS.search(answer.address)
        assert found, answer.address
        return int(found[1])

    def finish(self, task: Any, data: dict[str, Any], outcome: str | None, opinion: str, by: str) -> None:
        if task.assignee is None:
            self._submit(by, f"/task/{task.key}", f"/task/{task.key}/claim", {})
        fields = {"data": json.dumps(data), "outcome": outcome or "", "opinion": opinion}
        self._submit(by, f"/task/{task.key}", f"/task/{task.key}", fields)

    def act(self, message: str, data: dict[str, Any], by: str) -> None:
        path = f"/case/{self.case_key}/action/{message}"
        self._submit(by, path, path, {"data": json.dumps(data)})

    def ask_extension(self, task: Any, by: str) -> None:
        self._submit(by, f"/task/{task.key}", f"/task/{task.key}/extension", {})

    def move_clock(self, step: str = "", day: str = "") -> None:
        self._submit("admin", "/admin/clock", "/admin/clock", {"step": step} if step else {"day": day})
