"""The sample procedure of the designers' guide, built from nothing at the pages: the steps of ``docs/designer-guide.md`` as code.

The test of the whole way walks them, and ``scripts/designer_screenshots.py`` takes the guide's pictures on the way.  Each step is a
method that does what the guide says and waits for what a person would see.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Locator, Page, expect

from tests.support.browser import Desk

DESIGNER, APPROVER = "yaojing", "admin"
STARTER, CHIEF = "liqiang", "chengang"
"""A clerk and the chief of the same section: who asks for leave, and who agrees."""

TITLE, PROCESS = "请假审批", "leave_sample"
RULE = "hot.reply"
"""Five working days: the limit of the chief's step, chosen from the rules that the office has."""
OTHER_RULE = "permit.correct"

PATIENCE = 60_000
"""Milliseconds that playing the scenarios may take on a busy machine."""


@dataclass
class SampleProcedure:
    """One walk through the room.  ``picture(name)`` is called at each stage with the page to look at."""

    desk: Desk
    picture: Callable[[Page, str], None] = lambda page, name: None
    draft: int = field(default=0, init=False)

    @property
    def page(self) -> Page:
        return self.desk.person(DESIGNER).page

    # --- small ways ---------------------------------------------------------------------------------------------------------

    def element(self, id: str) -> Locator:
        return self.page.locator(f'.djs-element[data-element-id="{id}"]').first

    def select(self, name: str) -> None:
        """Find an element by its name, as Ctrl+F does."""
        page = self.page
        page.locator("[data-canvas] svg").first.focus()
        page.keyboard.press("Control+f")
        search = page.locator(".djs-search-input input")
        search.fill(name)
        expect(page.locator(".djs-search-result-selected")).to_be_visible()
        search.press("Enter")
        expect(page.locator("[data-panel] .bio-properties-panel-header-label")).to_have_text(name)

    def group(self, title: str, place: str = "[data-panel]") -> Locator:
        """A group of a properties panel, unfolded."""
        head = self.page.locator(".bio-properties-panel-group-header-title", has_text=re.compile(f"^{title}$"))
        found = self.page.locator(f"{place} .bio-properties-panel-group").filter(has=head)
        if not found.locator(".bio-properties-panel-group-entries.open, .bio-properties-panel-list.open").count():
            found.locator(head).first.click()
        return found

    def entry(self, name: str, place: str = "[data-panel]") -> Locator:
        return self.page.locator(f"{place} #bio-properties-panel-{name}")

    def write(self, name: str, text: str, place: str = "[data-panel]") -> None:
        box = self.entry(name, place)
        box.fill(text)
        box.press("Tab")

    def append(self, kind: str, name: str) -> None:
        """The sign “追加元素” beside the selected element, then the kind of element from the list; its name is typed at once."""
        page = self.page
        page.locator('.djs-context-pad .entry[data-action="append"]').click()
        page.locator(f'.djs-popup .entry[data-id="{kind}"]').click()
        typing = page.locator(".djs-direct-editing-content")
        if not typing.count():
            page.keyboard.press("e")
        typing.fill(name)
        typing.press("Enter")
        expect(page.locator("[data-panel] .bio-properties-panel-header-label")).to_have_text(name)

    def save(self) -> None:
        self.page.keyboard.press("Control+s")
        expect(self.page.locator("[data-save-state]")).to_have_text(re.compile("^已(全部)?保存"))

    # --- version 1 ----------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """新建流程: a title, and a small procedure that works."""
        page = self.desk.person(DESIGNER).go("/designer")
        page.get_by_role("link", name="新建流程").click()
        page.locator("main input[name=title]").fill(TITLE)
        page.locator("main input[name=process_id]").fill(PROCESS)
        self.picture(page, "new")
        page.locator("main form.panel button[type=submit]").click()
        expect(page.locator("h1")).to_have_text(TITLE)
        self.draft = int(re.search(r"/drafts/(\d+)", page.url)[1])
        self.picture(page, "draft")

    def open_editor(self) -> None:
        self.page.goto(f"{self.desk.url}/designer/drafts/{self.draft}/edit")
        expect(self.page.locator("#designer[data-ready]")).to_be_attached()

    def draw(self) -> None:
        """Two steps, a decision between them, and two ends."""
        page = self.page
        self.select("办结")
        page.keyboard.press("Delete")
        self.select("办理")
        self.group("常规")
        self.write("name", "科室负责人审批")
        self.append("append-rule-task", "判断审批层级")
        self.append("append-exclusive-gateway", "要局领导审批吗？")
        self.append("append-user-task", "局领导审批")
        self.append("append-none-end-event", "办结")
        self.select("要局领导审批吗？")
        self.append("append-none-end-event", "科室批准，办结")
        self.picture(page, "drawn")

    def decide(self) -> None:
        """The table that says who has to agree: a new decision, made from the step that asks it."""
        page = self.page
        self.select("判断审批层级")
        self.group("决策表")
        page.locator("[data-open=make]").click()
        page.locator("#managing-title").fill("审批层级")
        page.locator("#managing-id").fill(f"{PROCESS}_level")
        page.locator("dialog[open] button[value=yes]").click()
        table = page.locator("[data-decision-canvas]")
        expect(table.locator(".decision-table-name")).to_have_text("审批层级")
        table.locator("th.input-cell .input-label").dblclick()
        column = page.locator("[data-decision-canvas] .context-menu")
        column.locator("[contenteditable=true]").nth(0).fill("请假天数")
        column.locator("[contenteditable=true]").nth(1).fill("days")
        column.locator(".dms-input-select, .dms-input").filter(has_text="文本").first.click()
        page.locator(".dms-select-options .option", has_text="数字").click()
        table.locator(".decision-table-name").click()
        expect(column).to_have_count(0)
        expect(table.locator("th.input-cell .input-variable")).to_have_text("数字")
        level = f"{PROCESS}_level"
        self.cell(f"{level}_r1_i1", "> 3")
        self.cell(f"{level}_r1_o1", '"director"')
        table.locator(".add-rule-add").first.click()
        row = table.locator("tbody tr").nth(1)
        self.cell(row.locator("td.input-cell").get_attribute("data-element-id") or "", "-")
        self.cell(row.locator("td.output-cell").get_attribute("data-element-id") or "", '"section"')
        self.picture(page, "decision")
        page.get_by_role("button", name=re.compile("^返回“判断审批层级”")).click()

    def cell(self, id: str, text: str) -> None:
        """Write into a cell of the decision table."""
        page = self.page
        place = page.locator(f'[data-decision-canvas] td[data-element-id="{id}"]')
        place.click()
        # The cell shows its text until it is clicked, and an editor of expressions then.
        writing = place.locator(".cm-content")
        expect(writing).to_be_focused()
        writing.fill(text)
        page.locator("[data-decision-canvas] .decision-table-name").click()
        expect(place).to_contain_text(text)

    def ask_for_days(self) -> None:
        """One more field on the form with which the case begins: a number, from the palette."""
        page = self.page
        page.locator("#tab-forms").click()
        form = page.locator(f'details[data-file="{PROCESS}_start.form"]')
        form.locator("summary").click()
        canvas = form.locator("[data-form-canvas]")
        expect(canvas).to_be_visible()
        canvas.locator('.fjs-palette-field[data-field-type="number"]').press("Enter")
        canvas.locator(".fjs-editor-container .fjs-element[data-id]").last.click()
        self.group("常规", "[data-form-canvas]")
        self.write("label", "请假天数", "[data-form-canvas]")
        self.write("key", "days", "[data-form-canvas]")
        self.picture(page, "form")
        page.locator("#tab-flow").click()

    def flow_to(self, name: str) -> None:
        """Select the flow that leads to a shape, by a click just before its head."""
        page = self.page
        shape = page.locator(f'.djs-shape[data-element-id="{self.id_of(name)}"]')
        page.locator("[data-act=zoom-fit]").click()
        # Where shapes lie after the whole drawing was moved is known when it has been painted; until then the browser tells the old places.
        page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        box = shape.bounding_box() or {}
        page.mouse.click(box["x"] - 20, box["y"] + box["height"] / 2)
        expect(page.locator("[data-panel] .bio-properties-panel-header-type")).to_have_text("顺序流")

    def id_of(self, name: str) -> str:
        self.select(name)
        self.group("常规")
        return self.entry("id").input_value()

    def say_who_and_how_long(self) -> None:
        """Who handles each step, what they can decide, the limit of the step and its ladder, all chosen from lists."""
        self.select("科室负责人审批")
        self.group("办理人")
        self.entry("banjie-assign").select_option("role_of_starter")
        self.entry("banjie-assign-role").select_option("section_chief")
        self.group("本环节时限")
        self.entry("banjie-deadline").select_option(RULE)
        self.entry("banjie-ladder").select_option("standard")
        self.picture(self.page, "limit")
        self.buttons()
        self.select("局领导审批")
        self.group("办理人")
        self.entry("banjie-assign").select_option("role")
        self.entry("banjie-assign-role").select_option("vice_director")
        self.buttons()
        self.group("表单")
        self.entry("banjie-formId").select_option(f"{PROCESS}_handle")

    def buttons(self) -> None:
        """同意 and 退回, as the panel offers them."""
        self.page.locator("[data-group-id=group-banjie-outcomes] .bio-properties-panel-add-entry").click()

    def say_when(self) -> None:
        """The condition of each way out of the gateway."""
        page = self.page
        for name, level in (("科室批准，办结", "section"), ("局领导审批", "director")):
            self.flow_to(name)
            self.group("条件")
            place = page.locator('[data-panel] [data-entry-id="conditionExpression"] [contenteditable=true]')
            place.click()
            page.keyboard.type(f'result = "{level}"')
            place.press("Tab")
        self.picture(page, "condition")

    def try_out(self) -> None:
        """试运行: open a case, let both steps be done, keep the run as a scenario, play it, look at what it covers; then the other way."""
        self.save()
        page = self.page
        page.locator("[data-act=try]").click()
        expect(page.locator("html[data-try-ready]")).to_be_attached(timeout=PATIENCE)
        self.walk("探亲五天", 5, ("科室负责人审批", "局领导审批"))
        self.keep("超过三天，局领导审批", "long")
        self.play_all(1)
        covering = page.locator("[data-try-coverage]")
        covering.check()
        expect(page.locator("[data-try-missed]")).to_contain_text("科室批准，办结")
        self.picture(page, "coverage")
        covering.uncheck()
        page.locator("[data-try=anew]").click()
        page.locator("#tab-now").click()
        self.walk("年休假两天", 2, ("科室负责人审批",))
        self.keep("三天以内，科室批准", "short")
        self.play_all(2)
        covering.check()
        expect(page.locator("[data-try-missed]")).to_contain_text("已经过 100%")
        page.goto(f"{self.desk.url}/designer/drafts/{self.draft}/edit")
        expect(page.locator("#designer[data-ready]")).to_be_attached()

    def walk(self, subject: str, days: int, steps: tuple[str, ...]) -> None:
        """One dry run from the start form to the end; each step is agreed to."""
        page = self.page
        work = page.locator("#now")
        work.get_by_label("谁来发起").select_option(STARTER)
        for label, value in (("事项", subject), ("请假天数", str(days))):
            work.get_by_label(label).fill(value)
            work.get_by_label(label).press("Tab")
        self.picture(page, "try-start")
        work.get_by_role("button", name="发起办件").click()
        for number, name in enumerate(steps):
            task = work.locator("details", has=page.locator("summary", has_text=name))
            expect(task).to_be_visible()
            if number == 0:
                page.locator("[data-try-clock]").get_by_role("button", name="+1 周").click()
                expect(page.locator("[data-try-log] .kind-rung").first).to_be_visible()
                self.picture(page, "try-week")
            box = task.get_by_label("办理情况")
            box.fill("情况属实。")
            box.press("Tab")
            task.get_by_role("button", name="同意").click()
            expect(task).to_have_count(0)
        expect(work.locator(".alert-success")).to_be_visible()

    def play_all(self, count: int) -> None:
        """运行全部: the scenarios are played in the background, and all ``count`` pass."""
        page = self.page
        page.locator("#tab-kept").click()
        page.locator("#kept").get_by_role("button", name="运行全部").click()
        expect(page.locator("#kept .light--green")).to_have_count(count, timeout=PATIENCE)
        expect(page.locator("#kept progress")).to_have_count(0, timeout=PATIENCE)

    def keep(self, title: str, name: str) -> None:
        """保存为情景: what happened becomes what is expected from now on."""
        page = self.page
        page.locator("[data-try=keep]").click()
        dialog = page.locator("dialog[open]")
        dialog.get_by_label("标题").fill(title)
        dialog.get_by_label("文件名").fill(name)
        self.picture(page, "try-keep")
        dialog.locator("button[value=keep]").click()
        expect(page.locator(f'#kept tr[data-scenario="{name}"]')).to_have_count(1)

    def send(self, reason: str) -> None:
        """检查 and 发布: hand the draft in; a second person has to agree."""
        page = self.page
        self.save()
        page.locator("[data-act=check]").click()
        expect(page.locator("[data-findings]")).to_have_attribute("data-state", "fresh")
        self.picture(page, "checked")
        page.locator("[data-act=publish]").click()
        expect(page.locator("h1")).to_have_text(TITLE)
        page.locator("main a", has_text="提交").first.click()
        page.locator("textarea[name=reason]").fill(reason)
        warnings = page.locator("main input[name=warnings][type=checkbox]")
        if warnings.count():
            warnings.check()
        self.picture(page, "submit")
        page.locator("main aside form button.btn-primary").click()
        # The scenarios are played first; the page of their run goes on by itself.
        page.wait_for_url(re.compile(r"/designer/submissions/\d+"), timeout=PATIENCE)
        expect(page.locator("main .alert-success")).to_be_visible()

    def approve(self, picture: str) -> None:
        """The second person looks at what changes, drawn and in lines, and agrees."""
        page = self.desk.person(APPROVER).go("/designer/submissions")
        page.locator("main table a", has_text=TITLE).first.click()
        expect(page.locator("h1")).to_have_text(TITLE)
        expect(page.locator("[data-design-diff-new] .djs-shape").first).to_be_visible()
        self.picture(page, picture)
        page.get_by_role("button", name="批准").click()
        page.locator('dialog[open] button[value="yes"]').click()
        expect(page.locator("main .alert-success")).to_be_visible(timeout=PATIENCE)

    # --- in use -------------------------------------------------------------------------------------------------------------

    def ask(self, subject: str, days: int) -> int:
        """A clerk asks for leave; gives the key of the case."""
        person = self.desk.person(STARTER)
        page = person.go("/start")
        page.locator(f'a[href="/start/{PROCESS}"]').click()
        person.form_stands()
        person.fill({"subject": subject, "days": days})
        self.picture(page, "start")
        person.press(None)
        found = re.search(r"/case/(\d+)", page.url)
        assert found, f"{page.url}: {person.complaints()}"
        return int(found[1])

    def agree(self, who: str, subject: str) -> None:
        """Whoever has to agree does so, from the inbox."""
        person = self.desk.person(who)
        page = person.go("/inbox")
        row = page.locator("main tr", has_text=subject)
        claim = row.locator("[data-action=claim]")
        if claim.count():
            claim.click()
            expect(row.get_by_role("link", name=re.compile("办理"))).to_be_visible()
        row.locator("td.code a").click()
        person.form_stands()
        person.fill({"handled": "情况属实。"})
        self.picture(page, "task")
        person.press("approve", "同意。")

    # --- version 2 ----------------------------------------------------------------------------------------------------------

    def change(self) -> None:
        """The procedure's page, 修改: a draft from what is in use; the step gets another name, and its limit another rule."""
        page = self.desk.person(DESIGNER).go(f"/designer/procedures/{PROCESS}")
        page.get_by_role("button", name="修改").click()
        expect(page.locator("h1")).to_have_text(re.compile(TITLE))
        self.draft = int(re.search(r"/drafts/(\d+)", page.url)[1])
        self.open_editor()
        self.select("科室负责人审批")
        self.group("常规")
        self.write("name", "科室负责人审核")
        self.group("本环节时限")
        self.entry("banjie-deadline").select_option(OTHER_RULE)
        self.save()
        page.goto(f"{self.desk.url}/designer/drafts/{self.draft}/compare")
        expect(page.locator("[data-design-diff-list]")).to_contain_text("科室负责人审核")
        self.picture(page, "compare")
        self.open_editor()

    def migrate(self) -> None:
        """Bring the running case to the new version, by the administrator: plan, report for each case, then the batch."""
        page = self.desk.person(DESIGNER).go(f"/designer/procedures/{PROCESS}")
        self.picture(page, "versions")
        page = self.desk.person(APPROVER).go(f"/operations/migration?process={PROCESS}&from_version=1&to_version=2")
        self.picture(page, "migration")
        page.locator("main textarea[name=reason], main input[name=reason]").first.fill("按新流程办理")
        page.locator('button[name=which][value="all"]').click()
        page.locator('dialog[open] button[value="yes"]').click()
        expect(page.locator("html[data-ready]")).to_be_attached()
