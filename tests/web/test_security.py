"""What protects every page: addresses, policy, sessions, tokens, refusals."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from tests.desk import desk_models as models
from web.app import create_app
from web.people import PERMISSIONS
from web.security import safe_next


@pytest.mark.parametrize("target", ["/inbox", "/inbox?tab=mine&page=2", "/case/17#flow", "/search?q=http://a.example"])
def test_a_path_of_this_house_is_followed_after_signing_in(target):
    assert safe_next(target) == target


@pytest.mark.parametrize(
    "target",
    [None, "", "inbox", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example/", "javascript:alert(1)", "/\t/evil.example", "/a\nb", "/%0a\r"],
)
def test_an_address_outside_is_not_followed(target):
    assert safe_next(target) is None


@pytest.mark.parametrize("database_kind", ["sqlite"])
class TestOnSQLite:
    def test_every_page_carries_the_policy_with_a_fresh_nonce(self, client):
        first, second = (client.get("/login").headers["Content-Security-Policy"] for _ in range(2))
        assert "script-src 'self';" in first
        assert "'unsafe-eval'" not in first
        assert "script-src 'self' 'unsafe-inline'" not in first
        assert "frame-ancestors 'none'" in first
        nonces = [re.search(r"'nonce-([^']+)'", policy)[1] for policy in (first, second)]
        assert nonces[0] != nonces[1]

    def test_pages_are_not_kept_by_the_browser(self, sign_in):
        assert sign_in("wang").get("/inbox").headers["Cache-Control"] == "no-store"

    def test_no_page_has_an_inline_script(self, sign_in, new_case, task_of):
        case = new_case()
        client = sign_in("wang")
        for url in ("/home", "/inbox", "/start/licence", f"/case/{case.key}", f"/task/{task_of(case.key, 'accept').key}"):
            page = client.get(url).text
            scripts = re.findall(r"<script([^>]*)>", page)
            assert scripts
            assert all("src=" in attributes or "application/json" in attributes for attributes in scripts)
            assert not re.search(r"\son[a-z]+=", page)

    def test_the_session_cookie_is_out_of_reach_for_scripts(self, client):
        client.get("/login")
        answer = client.post("/login", data={"login": "wang", "password": models.PASSWORD})
        cookie = next(value for name, value in answer.headers if name == "Set-Cookie" and value.startswith("banjie="))
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie

    def test_a_form_without_its_token_is_refused(self, office):
        app = create_app(SimpleNamespace(secret_key="only for tests"), office, TESTING=True)
        answer = app.test_client().post("/login", data={"login": "wang", "password": models.PASSWORD})
        assert answer.status_code == 400
        assert "页面已过期" in answer.text

    def test_the_application_does_not_start_without_a_key(self, office):
        with pytest.raises(ValueError, match="secret_key"):
            create_app(SimpleNamespace(secret_key=""), office)

    def test_nobody_sees_a_page_without_signing_in(self, app):
        client = app.test_client()
        for rule in app.url_map.iter_rules():
            view = app.view_functions[rule.endpoint]
            if "GET" not in rule.methods or rule.endpoint == "static" or getattr(view, "is_public", False):
                continue
            url = re.sub(r"<int:[^>]+>", "1", rule.rule)
            url = re.sub(r"<[^>]+>", "x", url)
            answer = client.get(url)
            assert answer.status_code == 302, rule
            assert answer.location.startswith("/login"), rule

    def test_a_person_may_not_learn_whether_a_case_exists(self, sign_in, new_case):
        case = new_case()
        client = sign_in("sun")
        refused, missing = client.get(f"/case/{case.key}"), client.get("/case/1")
        assert (refused.status_code, missing.status_code) == (404, 404)
        assert re.search(r"<main.*</main>", refused.text, re.S)[0] == re.search(r"<main.*</main>", missing.text, re.S)[0]

    def test_a_refused_look_is_in_the_audit(self, office, sign_in, new_case):
        from sqlalchemy import select

        from engine.store.tables import audit

        case = new_case()
        sign_in("sun").get(f"/case/{case.key}")
        with office.reading() as conn:
            rows = conn.execute(select(audit).where(audit.c.action == "access.refused", audit.c.by == "sun")).all()
        assert [row.subject for row in rows] == [f"case:{case.key}"]

    def test_an_error_says_what_happened_what_is_safe_and_what_to_do(self, sign_in):
        page = sign_in("wang").get("/case/1").text
        assert "未找到" in page
        assert "没有任何改动" in page
        assert "请核对地址" in page

    def test_a_script_is_told_the_same_as_json(self, sign_in):
        answer = sign_in("wang").get("/case/1", headers={"Accept": "application/json"})
        assert answer.status_code == 404
        assert answer.json["code"] == "not_found"
        assert answer.json["message"]
        assert answer.json["cure"]

    def test_the_menu_shows_only_what_one_may_use(self, app, sign_in):
        assert "supervision.index" not in app.view_functions or 'href="/supervision"' not in _menu(sign_in("li"))
        assert "supervision.index" not in app.view_functions or 'href="/supervision"' in _menu(sign_in("du"))
        if "designer.index" in app.view_functions:
            assert "流程设计" not in _menu(sign_in("du"))

    def test_a_case_title_cannot_become_markup(self, sign_in, new_case):
        case = new_case(subject="<script>alert(1)</script>")
        for url in ("/inbox", "/inbox/started", f"/case/{case.key}"):
            assert "<script>alert" not in sign_in("wang").get(url).text


def _menu(client) -> str:
    return re.search(r'<ul class="frame__menu">.*?</ul>', client.get("/inbox").text, re.S)[0]


def test_every_permission_names_roles():
    assert all(PERMISSIONS.values())
