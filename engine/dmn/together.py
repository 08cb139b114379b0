"""Reading several DMN files that import each other (DMN 1.5 §6.3.3): each after the ones it needs."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree

from engine.dmn.model import DmnModel
from engine.dmn.reader import read_dmn
from engine.dmn.xml import Reader, parse_xml
from engine.errors import Problem
from engine.words import T


def read_together(
    files: Mapping[str, bytes], known: Mapping[str, DmnModel] | None = None
) -> dict[str, tuple[DmnModel | None, list[Problem]]]:
    """Read ``files`` (name → content) as one deployment: ``{file: (model, problems)}``.

    ``known`` are models by namespace that may be imported besides (deployed earlier); a file of the same namespace goes before.  Of
    two files with one namespace the second is refused, and files that import each other in a circle are told so.
    """
    roots = {file: parse_xml(data, file)[0] for file, data in files.items()}
    by_namespace: dict[str, str] = {}
    read: dict[str, tuple[DmnModel | None, list[Problem]]] = {}
    for file, root in sorted(roots.items(), key=lambda item: item[0]):
        if root is not None:
            by_namespace.setdefault(root.get("namespace", ""), file)
    models: dict[str, DmnModel] = dict(known or {})

    def visit(file: str, path: tuple[str, ...]) -> None:
        if file in read:
            return
        circles: list[Problem] = []
        for namespace in _imported(roots[file]):
            needed = by_namespace.get(namespace)
            if needed is not None and needed in (*path, file):
                message = T("%(file)s and %(other)s import each other in a circle; take one import out.", file=file, other=needed)
                circles.append(Problem(file, None, None, "dmn.import-circle", message))
            elif needed is not None:
                visit(needed, (*path, file))
        model, problems = read_dmn(files[file], file, models)
        read[file] = (model, [*circles, *problems])
        if model is not None and by_namespace.get(model.namespace) == file:
            models[model.namespace] = model

    for file in sorted(files):
        visit(file, ())
    imported = {namespace for root in roots.values() for namespace in _imported(root)}
    for file, root in roots.items():
        first = by_namespace.get("" if root is None else root.get("namespace", ""))
        if root is not None and first != file and root.get("namespace", "") in imported:
            message = T("%(file)s has the same namespace as %(other)s; an import could mean either.", file=file, other=first)
            read[file][1].append(Problem(file, None, None, "dmn.namespace-twice", message))
    return read


def _imported(root: etree._Element | None) -> list[str]:
    """The namespaces of the DMN models that a file imports."""
    if root is None:
        return []
    return [element.get("namespace", "") for element in Reader(root).all(root, "import") if "DMN" in element.get("importType", "")]


def imported_files(files: Mapping[str, bytes]) -> dict[str, tuple[str, ...]]:
    """Which of ``files`` each DMN file among them imports, directly or through another, in order of name; files without any are left out."""
    roots = {file: root for file, data in files.items() if file.lower().endswith(".dmn") and (root := parse_xml(data, file)[0]) is not None}
    by_namespace: dict[str, str] = {}
    for file, root in sorted(roots.items(), key=lambda item: item[0]):
        by_namespace.setdefault(root.get("namespace", ""), file)

    def reached(file: str, seen: set[str]) -> set[str]:
        for needed in filter(None, map(by_namespace.get, _imported(roots[file]))):
            if needed not in seen:
                seen.add(needed)
                reached(needed, seen)
        return seen

    found = {file: tuple(sorted(reached(file, set()) - {file})) for file in sorted(roots)}
    return {file: names for file, names in found.items() if names}
