"""DMN XML to :class:`engine.dmn.model.DmnModel`, collecting every problem on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lxml.etree import _Element

from engine.dmn.boxed import BOXED_NAMES, compile_boxed, compile_function, nothing, placed, typed
from engine.dmn.itemtypes import read_item_definitions, read_type_ref
from engine.dmn.model import Closure, Decision, DmnModel, InputData, Knowledge, Requirement, Service
from engine.dmn.tablereader import read_table
from engine.dmn.tables import CompiledTable
from engine.dmn.xml import Reader, parse_xml
from engine.errors import DeploymentRejected, Problem
from engine.feel.api import UnaryTests, compile_expression, compile_unary
from engine.feel.errors import FeelError
from engine.feel.types import ANY, Type, resolve
from engine.words import T, Words

_NAMED = ("inputData", "decision", "variable", "businessKnowledgeModel", "parameter", "formalParameter", "itemComponent", "output",
          "column", "import", "decisionService")  # fmt: skip
# What the arrows of a requirement graph and the parts of a service may point to (DMN 1.5 §6.2.2, §6.3.9).
_TARGETS: dict[str, type | tuple[type, ...]] = {
    "requiredDecision": Decision,
    "outputDecision": Decision,
    "inputDecision": Decision,
    "encapsulatedDecision": Decision,
    "requiredInput": InputData,
    "inputData": InputData,
    "requiredKnowledge": (Knowledge, Service),
}


def read_dmn(data: bytes, file: str, imports: Mapping[str, DmnModel] | None = None) -> tuple[DmnModel | None, list[Problem]]:
    """Read a file as far as it can be read: ``(model, problems)``.

    ``imports`` are models by namespace.  What is faulty evaluates to null; the model is ``None`` when the file is not
    DMN XML at all.
    """
    root, problems = parse_xml(data, file)
    if root is None:
        return None, problems
    builder = Builder(root, file, imports or {})
    builder.build()
    return builder.model, builder.problems


def check_dmn(data: bytes, file: str, imports: Mapping[str, DmnModel] | None = None) -> list[Problem]:
    """Every problem of a file, warnings included; an empty list means that it can be deployed."""
    return read_dmn(data, file, imports)[1]


def parse_dmn(data: bytes, file: str, imports: Mapping[str, DmnModel] | None = None) -> DmnModel:
    """Read a file for execution; raises :class:`DeploymentRejected` with all problems when one of them is an error."""
    model, problems = read_dmn(data, file, imports)
    if model is None or any(problem.severity == "error" for problem in problems):
        raise DeploymentRejected(problems)
    return model


class Builder:
    """Builds one model.  ``names`` are the names that the FEEL parser must know."""

    def __init__(self, root: _Element, file: str, imports: Mapping[str, DmnModel]) -> None:
        self.root = root
        self.file = file
        self.reader = Reader(root)
        self.available = imports
        self.problems: list[Problem] = []
        self.pending_types: set[str] = set()
        self.allowed_values: dict[str, str] = {}  # texts by item definition, for the priorities of tables
        self.model = DmnModel(root.get("id", ""), root.get("name", ""), root.get("namespace", ""), file)
        self.names: frozenset[str] = frozenset()
        self.owner: tuple[str, str] = ("", "")

    # -- problems and FEEL --------------------------------------------------------------------------------------

    def problem(self, element: _Element | None, rule: str, message: Words, *, severity: str = "error", line: int | None = None) -> None:
        at = line if line is not None else None if element is None else element.sourceline
        self.problems.append(Problem(self.file, at, None if element is None else element.get("id"), rule, message, severity))

    def feel_problem(self, element: _Element, place: Words, error: FeelError) -> None:
        text = self.reader.one(element, "text")
        line = None if text is None or text.sourceline is None else text.sourceline + (error.line or 1) - 1
        self.problem(element, "dmn.feel", T("%(place)s: %(reason)s", place=place, reason=error.message), line=line)

    def expression(self, element: _Element, place: Words, text: str | None = None) -> Closure:
        """The closure of an element with a FEEL ``text``."""
        text = self.reader.text(element) if text is None else text
        self.check_language(element, place)
        if not text:
            return nothing("There is no expression.")
        try:
            return placed(compile_expression(text, self.names), place)
        except FeelError as error:
            self.feel_problem(element, place, error)
            return nothing("The expression cannot be read.")

    def tests(self, element: _Element, place: Words) -> UnaryTests | None:
        """The unary tests of a cell; ``None`` for a cell that accepts everything or cannot be read."""
        text = self.reader.text(element)
        self.check_language(element, place)
        if text in ("", "-"):
            return None
        try:
            return compile_unary(text, self.names)
        except FeelError as error:
            self.feel_problem(element, place, error)
            return None

    def check_language(self, element: _Element, place: Words) -> None:
        language = element.get("expressionLanguage")
        if language and not language.rstrip("/").lower().endswith("feel"):
            message = T("%(place)s: the expression language %(language)s is not run; write it in FEEL.", place=place, language=language)
            self.problem(element, "dmn.language", message)

    def type_ref(self, element: _Element | None) -> Type:
        text = "" if element is None else element.get("typeRef") or self.reader.text(element, "typeRef")
        return ANY if element is None else read_type_ref(self, text, element)

    def texts(self, element: _Element) -> tuple[str, ...]:
        """Every FEEL text inside an element: what its logic may read."""
        return tuple("".join(text.itertext()).strip() for text in element.iter(self.reader.prefix + "text"))

    typed = staticmethod(typed)

    def table(self, element: _Element, place: Words) -> CompiledTable:
        return read_table(self, element, place, *self.owner)

    # -- building -----------------------------------------------------------------------------------------------

    def build(self) -> None:
        self.read_imports()
        own = {element.get("name", "") for name in _NAMED for element in self.root.iter(self.reader.prefix + name)}
        own |= {element.get("iteratorVariable", "") for element in self.root.iter(self.reader.prefix + "for")}
        for imported in self.model.imports.values():
            own |= imported.names
        self.names = self.model.names = frozenset(own - {""})
        read_item_definitions(self, self.root)
        self.create()
        self.fill()
        self.check_circles()

    def read_imports(self) -> None:
        for element in self.reader.all(self.root, "import"):
            if "DMN" not in element.get("importType", ""):
                continue
            namespace, name = element.get("namespace", ""), element.get("name", "")
            imported = self.available.get(namespace)
            if imported is None:
                message = T("The imported model %(name)s (%(namespace)s) is not there; deploy it together.", name=name, namespace=namespace)
                self.problem(element, "dmn.import", message)
                continue
            self.model.imports[name] = imported
            prefix = f"{name}." if name else ""
            self.model.types.update({prefix + key: type_ for key, type_ in imported.types.items()})

    def create(self) -> None:
        """Make the elements, so that arrows can find them whatever their order in the file."""
        model, seen = self.model, set()
        for element in self.root:
            kind = self.reader.local(element)
            if kind not in ("inputData", "decision", "businessKnowledgeModel", "decisionService"):
                continue
            name = element.get("name", "")
            key = element.get("id") or name
            if key in seen:
                self.problem(element, "dmn.duplicate-id", T("The id %(id)s is used twice; give %(name)s its own.", id=key, name=name))
            seen.add(key)
            variable = self.reader.one(element, "variable")
            type_ = self.type_ref(variable)
            if kind == "inputData":
                model.inputs[key] = InputData(key, name, type_)
            elif kind == "decision":
                shown = name if variable is None else variable.get("name") or name
                model.decisions[key] = Decision(key, name or key, shown or key, type_, None, None, model=model)
            elif kind == "businessKnowledgeModel":
                model.knowledge[key] = Knowledge(key, name, nothing("There is no expression."), model=model)
            else:
                model.services[key] = Service(key, name, model=model)

    def fill(self) -> None:
        fillers = {
            "decision": (self.model.decisions, self.fill_decision),
            "businessKnowledgeModel": (self.model.knowledge, self.fill_knowledge),
            "decisionService": (self.model.services, self.fill_service),
        }
        for element in self.root:
            elements, fill = fillers.get(self.reader.local(element), (None, None))
            if fill is not None:
                fill(element, elements[element.get("id") or element.get("name", "")])

    def fill_decision(self, element: _Element, decision: Decision) -> None:
        place = T("Decision %(name)s", name=decision.name)
        decision.requirements = self.requirements(element, place)
        self.owner = (decision.id, decision.name)
        for child in element:
            kind = self.reader.local(child)
            if kind in BOXED_NAMES:
                decision.texts = self.texts(child)
            if kind == "decisionTable":
                table = self.table(child, place)
                decision.table, decision.logic = table.view, table.run
            elif kind in BOXED_NAMES:
                decision.logic = compile_boxed(self, child, place)
                decision.text = self.reader.text(child) if kind == "literalExpression" else ""
            else:
                continue
            return
        message = T("The decision %(name)s has no table and no expression; it always gives null.", name=decision.name)
        self.problem(element, "dmn.no-logic", message, severity="warning")

    def fill_knowledge(self, element: _Element, knowledge: Knowledge) -> None:
        place = T("Knowledge model %(name)s", name=knowledge.name)
        knowledge.requirements = self.requirements(element, place)
        logic = self.reader.one(element, "encapsulatedLogic")
        if logic is None or not any(self.reader.local(child) in BOXED_NAMES for child in logic):
            self.problem(element, "dmn.no-logic", T("The knowledge model %(name)s has no logic.", name=knowledge.name), severity="warning")
            return
        self.owner = (knowledge.id, knowledge.name)
        knowledge.texts = self.texts(logic)
        knowledge.make = compile_function(self, logic, place, self.result_type(element))

    def result_type(self, element: _Element) -> Type:
        """What a knowledge model or a service gives back when it is called."""
        declared = resolve(self.type_ref(self.reader.one(element, "variable")), self.model.types) or ANY
        # The variable's type is that of the function; modelers also write the type of the result there.
        return (declared.result or ANY) if declared.kind == "function" else declared

    def fill_service(self, element: _Element, service: Service) -> None:
        place = T("Decision service %(name)s", name=service.name)
        service.type = self.result_type(element)
        service.outputs = self.targets(element, "outputDecision", place)
        service.input_decisions = self.targets(element, "inputDecision", place)
        service.input_data = self.targets(element, "inputData", place)

    def targets(self, element: _Element, child: str, place: Words) -> list:
        found = (self.target(item, place) for item in self.reader.all(element, child))
        return [requirement.target for requirement in found if requirement is not None]

    def requirements(self, element: _Element, place: Words) -> list[Requirement]:
        arrows = [
            target
            for kind, parts in (("informationRequirement", ("requiredDecision", "requiredInput")), ("knowledgeRequirement", ("requiredKnowledge",)))
            for requirement in self.reader.all(element, kind)
            for part in parts
            for target in self.reader.all(requirement, part)
        ]
        return [found for found in (self.target(arrow, place) for arrow in arrows) if found is not None]

    def target(self, arrow: _Element, place: Words) -> Requirement | None:
        namespace, _, key = arrow.get("href", "").rpartition("#")
        models: Iterable[tuple[str, DmnModel]] = [("", self.model)]
        if namespace and namespace != self.model.namespace:
            models = [(name, model) for name, model in self.model.imports.items() if model.namespace == namespace]
        for prefix, model in models:
            for elements in (model.decisions, model.inputs, model.knowledge, model.services):
                if key in elements and isinstance(elements[key], _TARGETS.get(self.reader.local(arrow), object)):
                    return Requirement(elements[key], prefix)
                if key in elements:
                    message = T("%(place)s requires %(id)s, which is of another kind; draw the arrow anew.", place=place, id=arrow.get("href", ""))
                    self.problem(arrow, "dmn.reference", message)
                    return None
        message = T("%(place)s requires %(id)s, which does not exist; draw the arrow anew.", place=place, id=arrow.get("href", ""))
        self.problem(arrow, "dmn.reference", message)
        return None

    def check_circles(self) -> None:
        done: set[int] = set()
        for decision in self.model.decisions.values():
            circle = _circle(decision, [], done)
            if circle:
                names = " → ".join(item.name for item in circle)
                self.problem(None, "dmn.circle", T("Decisions require each other in a circle: %(names)s. Remove an arrow.", names=names))
                return


def _circle(decision: Decision, path: list[Decision], done: set[int]) -> list[Decision]:
    if decision in path:
        return [*path[path.index(decision) :], decision]
    if id(decision) in done or len(path) > 200:
        return []
    for requirement in decision.requirements:
        if isinstance(requirement.target, Decision):
            circle = _circle(requirement.target, [*path, decision], done)
            if circle:
                return circle
    done.add(id(decision))
    return []

