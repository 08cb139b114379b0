"""Tokens to syntax tree: a Pratt parser that knows the names in scope.

``names`` are the names that hold spaces or operator signs (``Monthly Salary``, ``a-b``).  The longest known name wins;
names bound inside the expression (context keys, parameters, iteration variables) join the known ones where they are
visible.  Rules are those of DMN 1.5 §10.3.1.2, whose numbers are given where one is not obvious.
"""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from engine.feel import nodes as n
from engine.feel.errors import FeelError
from engine.feel.host import HOST_NAMES
from engine.feel.lexer import Token, half_width, string_value, tokenize
from engine.feel.limits import MAX_DEPTH, MAX_NESTING
from engine.feel.names import Names
from engine.feel.temporal import parse_temporal
from engine.feel.types import ANY, Type
from engine.feel.typesyntax import read_type
from engine.feel.values import CONTEXT, PROPERTIES
from engine.words import T, Words

OR, AND, COMPARE, ADD, MULTIPLY, POWER, INSTANCE, NEGATE, POSTFIX = range(10, 100, 10)
BINDING = {
    "=": COMPARE, "!=": COMPARE, "<": COMPARE, "<=": COMPARE, ">": COMPARE, ">=": COMPARE,
    "+": ADD, "-": ADD, "*": MULTIPLY, "/": MULTIPLY, "**": POWER, "(": POSTFIX, "[": POSTFIX, ".": POSTFIX,
}  # fmt: skip
WORD_BINDING = {"or": OR, "and": AND, "between": COMPARE, "in": COMPARE, "instance": INSTANCE}
COMPARISONS = frozenset(("=", "!=", "<", "<=", ">", ">="))
RESERVED = frozenset(("and", "or", "then", "else", "in", "between", "instance", "satisfies", "return"))
CONSTANTS = {"true": True, "false": False, "null": None}
MULTI_WORD_PROPERTIES = tuple(sorted({name for table in PROPERTIES.values() for name in table if " " in name}))
# What may follow the "[" that closes a range such as [1..5[ ; anything else starts a filter.
_AFTER_RANGE = frozenset((")", ",", "]", "}", "=", "!=", "<", "<=", ">", ">=", "+", "*", "/", "**", "..", ":", "."))


_PROPERTY_NAMES = Names(MULTI_WORD_PROPERTIES)


class Parser:
    """Parses one text; ``free`` then holds the names that the expression reads from its surroundings."""

    def __init__(self, source: str, names: Iterable[str], builtins: Iterable[str]) -> None:
        self.source = source
        self.tokens = tokenize(source)
        self.index = 0
        self.nesting = 0
        self.filters = 0
        self.endpoint = False
        self.outer = Names(names)
        self.builtin_names = frozenset(builtins)
        self.builtins = _multi_word(self.builtin_names | HOST_NAMES)
        self.scopes: list[Names] = []
        self.keys = Names()  # keys of contexts written in this text: they may follow a dot or be read in a filter
        self.free: set[str] = set()

    # -- entries ------------------------------------------------------------------------------------------------

    def expression(self) -> n.Node:
        """The whole text as one expression."""
        if self.token.kind == "end":
            raise self.error(T("The expression is empty."))
        node = self.parse(0)
        self.expect_end()
        return node

    def unary_tests(self) -> n.Tests:
        """The whole text as unary tests (rule 15): ``-``, a list of tests, or ``not(…)`` around one."""
        start = self.token.start
        if self.token.kind == "end" or self.token.text == "-" and self.tokens[1].kind == "end":
            return n.Tests(start, [])
        negated = self.negated_tests()
        if negated is not None and self.token.kind == "end":
            return negated
        if negated is not None:
            self.index = 0
        tests = [self.parse(0)]
        while self.take(","):
            tests.append(self.parse(0))
        self.expect_end()
        return self.built(n.Tests(start, tests), *tests)

    def whole_type(self) -> Type:
        """The whole text as a type."""
        type_ = read_type(self)
        self.expect_end()
        return type_

    # -- helpers ------------------------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        return self.tokens[self.index]

    def is_op(self, text: str) -> bool:
        return self.token.kind == "op" and self.token.text == text

    def is_word(self, text: str) -> bool:
        return self.token.kind == "name" and self.token.text == text

    def take(self, text: str) -> bool:
        """Step over an operator sign or a keyword if it is next."""
        if self.token.text == text and self.token.kind in ("op", "name"):
            self.index += 1
            return True
        return False

    def expect(self, text: str, where: Words) -> None:
        if not self.take(text):
            raise self.error(T('"%(sign)s" is missing %(where)s, before %(found)s.', sign=text, where=where, found=self.found()))

    def expect_end(self) -> None:
        if self.token.kind != "end":
            raise self.unexpected()

    def found(self) -> Words | str:
        return T("the end of the text") if self.token.kind == "end" else f'"{self.token.text}"'

    def error(self, reason: Words) -> FeelError:
        return FeelError(reason, source=self.source, position=self.token.start)

    def unexpected(self) -> FeelError:
        token = self.token
        if token.kind == "end":
            return self.error(T("The expression ends too early; something is missing here."))
        plain = half_width(token.text[0]) if token.kind in ("other", "name") else None
        if plain:
            return self.error(T('"%(sign)s" is a full-width sign; write the half-width %(plain)s instead.', sign=token.text[0], plain=plain))
        if token.text == "'":
            return self.error(T('Texts stand in double quotes: write "…" instead of \'…\'.'))
        if token.text in ("&", "|", "!"):
            return self.error(T('"%(sign)s" is not a FEEL operator; use and, or, not(…).', sign=token.text))
        return self.error(T('"%(sign)s" is not expected here.', sign=token.text[:40]))

    def built(self, node: n.Node, *children: n.Node | None) -> n.Node:
        node.depth = 1 + max((child.depth for child in children if child is not None), default=0)
        if node.depth > MAX_DEPTH:
            raise self.error(T("The expression is nested too deeply (more than %(limit)d levels).", limit=MAX_DEPTH))
        return node

    @contextmanager
    def nested(self) -> Iterator[None]:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.error(T("The expression is nested too deeply (more than %(limit)d levels).", limit=MAX_NESTING))
        endpoint, self.endpoint = self.endpoint, False
        yield
        self.endpoint = endpoint
        self.nesting -= 1

    @contextmanager
    def scope(self, names: Iterable[str]) -> Iterator[Names]:
        self.scopes.append(Names(names))
        yield self.scopes[-1]
        self.scopes.pop()

    def known_name(self, *, builtins: bool) -> tuple[int, str] | None:
        """The longest visible name starting here."""
        best = None
        tables = [*reversed(self.scopes), self.outer] + ([self.builtins] if builtins else [_PROPERTY_NAMES])
        if self.filters or not builtins:
            tables.append(self.keys)
        for table in tables:
            match = table.longest(self.tokens, self.index)
            if match and (best is None or match[0] > best[0]):
                best = match
        return best

    def text_between(self, first: int, last: int) -> str:
        """Source of tokens ``first`` … ``last`` - 1, with single spaces: how a name is spelled."""
        return " ".join(self.source[self.tokens[first].start : self.tokens[last - 1].end].split())

    # -- expressions --------------------------------------------------------------------------------------------

    def parse(self, minimum: int) -> n.Node:
        if minimum and self.token.text in COMPARISONS and self.token.kind == "op":
            # "< 10" stands where a test begins, never on the right of another sign: a == b must not slip through.
            raise self.error(T('"%(sign)s" is not expected here; equality is written with a single =.', sign=self.token.text))
        return self.infix(self.prefix(), minimum)

    def infix(self, left: n.Node, minimum: int) -> n.Node:
        chain: n.Node | None = None
        while True:
            token = self.token
            table = BINDING if token.kind == "op" else WORD_BINDING if token.kind == "name" else {}
            power = table.get(token.text, 0)
            if power == 0 or power < minimum or token.text == "[" and self.closes_range():
                return left
            self.index += 1
            if power == POSTFIX:
                left = self.postfix(token, left)
            elif power in (ADD, MULTIPLY, POWER):
                right = self.parse(power + 1)
                if left is chain and isinstance(left, n.Chain) and BINDING[left.rest[0][0]] == power:
                    left.rest.append((token.text, right))
                    left.depth = max(left.depth, right.depth + 1)
                else:
                    left = chain = self.built(n.Chain(token.start, left, [(token.text, right)]), left, right)
            elif power in (AND, OR):
                right = self.parse(power + 1)
                if left is chain and isinstance(left, n.Logic) and left.operator == token.text:
                    left.operands.append(right)
                    left.depth = max(left.depth, right.depth + 1)
                else:
                    left = chain = self.built(n.Logic(token.start, token.text, [left, right]), left, right)
            elif token.text in COMPARISONS:
                right = self.parse(COMPARE + 1)
                left = self.built(n.Compare(token.start, token.text, left, right), left, right)
            else:
                left = getattr(self, "after_" + token.text)(token, left)

    def closes_range(self) -> bool:
        if not self.endpoint:
            return False
        after = self.tokens[self.index + 1]
        return after.kind == "end" or after.kind == "op" and after.text in _AFTER_RANGE or after.kind == "name" and after.text in RESERVED

    def after_between(self, token: Token, left: n.Node) -> n.Node:
        low = self.parse(COMPARE + 1)
        self.expect("and", T("between the two limits of between"))
        high = self.parse(COMPARE + 1)
        return self.built(n.Between(token.start, left, low, high), left, low, high)

    def after_in(self, token: Token, left: n.Node) -> n.Node:
        test = self.negated_tests()
        if test is None and self.is_op("("):
            test = self.infix(self.parenthesis(tests=True), COMPARE + 1)
        elif test is None:
            is_comparison = self.token.kind == "op" and self.token.text in COMPARISONS
            test = self.comparison() if is_comparison else self.parse(COMPARE + 1)
        return self.built(n.In(token.start, left, test), left, test)

    def after_instance(self, token: Token, left: n.Node) -> n.Node:
        self.expect("of", T("after instance"))
        return self.built(n.InstanceOf(token.start, left, read_type(self)), left)

    def postfix(self, token: Token, left: n.Node) -> n.Node:
        if token.text == "(":
            return self.call(token, left)
        if token.text == "[":
            with self.nested(), self.scope(("item",)):
                self.filters += 1
                condition = self.parse(0)
                self.filters -= 1
            self.expect("]", T("at the end of the filter"))
            return self.built(n.Filter(token.start, left, condition), left, condition)
        if self.token.kind == "quoted":
            self.index += 1
            return self.built(n.Path(token.start, left, self.tokens[self.index - 1].text[1:-1]), left)
        if self.token.kind != "name":
            raise self.unexpected()
        first, match = self.index, self.known_name(builtins=False)
        if match and match[0] > 1:
            self.index += match[0]
            name = match[1]
        else:
            name = self.words()
        return self.built(n.Path(self.tokens[first].start, left, name), left)

    def words(self) -> str:
        """Words side by side, up to a reserved one: they can only be one name."""
        first = self.index
        self.index += 1
        while self.token.kind == "name" and self.token.text not in RESERVED:
            self.index += 1
        return self.text_between(first, self.index)

    def call(self, token: Token, callee: n.Node) -> n.Node:
        positional: list[n.Node] = []
        named: list[tuple[str, n.Node]] = []
        with self.nested():
            while not self.is_op(")"):
                name = self.argument_name()
                value = self.parse(0)
                if name is None and not named:
                    positional.append(value)
                elif name is not None and not positional:
                    named.append((name, value))
                else:
                    raise self.error(T("Arguments are either all named or all unnamed."))
                if not self.take(","):
                    break
                if self.is_op(")"):
                    raise self.unexpected()
            self.expect(")", T("at the end of the arguments"))
        return self.built(n.Call(callee.at, callee, positional, named), callee, *positional, *[value for _, value in named])

    def argument_name(self) -> str | None:
        ahead = self.index
        while self.tokens[ahead].kind in ("name", "quoted", "number"):
            ahead += 1
        if ahead == self.index or self.tokens[ahead].text != ":" or self.tokens[ahead].kind != "op":
            return None
        name = self.text_between(self.index, ahead).strip("`")
        self.index = ahead + 1
        return name

    def prefix(self) -> n.Node:
        token = self.token
        if token.kind == "name":
            return self.name_or_keyword()
        if token.kind == "op":
            handler = _PREFIX.get(token.text)
            if handler is None:
                raise self.unexpected()
            with self.nested():
                return handler(self)
        self.index += 1
        if token.kind == "number":
            return n.Literal(token.start, self.number(token))
        if token.kind == "string":
            return n.Literal(token.start, string_value(token, self.source))
        if token.kind == "quoted":
            return self.name_node(token, token.text[1:-1])
        self.index -= 1
        raise self.unexpected()

    def number(self, token: Token) -> decimal.Decimal:
        try:
            return CONTEXT.create_decimal(token.text)
        except decimal.DecimalException:
            raise FeelError("This number is too large.", source=self.source, position=token.start) from None

    def name_or_keyword(self) -> n.Node:
        token = self.token
        match = self.known_name(builtins=True)
        if match is None or match[0] == 1:
            if token.text in CONSTANTS:
                self.index += 1
                return n.Literal(token.start, CONSTANTS[token.text])
            handler = _KEYWORDS.get(token.text)
            if handler is not None and (token.text != "function" or self.tokens[self.index + 1].text == "("):
                self.index += 1
                with self.nested():
                    return handler(self, token)
            if token.text in RESERVED and match is None:
                raise self.unexpected()
        if match is not None:
            self.index += match[0]
            return self.name_node(token, match[1])
        if self.filters:
            return self.name_node(token, self.words())
        self.index += 1
        return self.name_node(token, token.text)

    def name_node(self, token: Token, name: str) -> n.Node:
        if not any(name in scope.all for scope in self.scopes):
            is_call = self.is_op("(")
            if name in self.outer.all or name not in self.builtin_names or not is_call:
                self.free.add(name)
        return n.Name(token.start, name)

    # -- signs that start an expression -------------------------------------------------------------------------

    def input_value(self) -> n.Node:
        self.index += 1
        return n.Input(self.tokens[self.index - 1].start)

    def negation(self) -> n.Node:
        start = self.token.start
        self.index += 1
        operand = self.parse(NEGATE)
        if isinstance(operand, n.Literal) and isinstance(operand.value, decimal.Decimal):
            return n.Literal(start, operand.value.copy_negate() if operand.value else operand.value)
        return self.built(n.Negate(start, operand), operand)

    def comparison(self) -> n.Node:
        token = self.token
        self.index += 1
        operand = self.parse(COMPARE + 1)
        return self.built(n.Comparison(token.start, token.text, operand), operand)

    def temporal(self) -> n.Node:
        start = self.token.start
        self.index += 1
        if self.token.kind != "string":
            raise self.error(T('After @ stands a date, time or duration in quotes, such as @"2026-01-31".'))
        text = string_value(self.token, self.source)
        self.index += 1
        try:
            return n.Literal(start, parse_temporal(text))
        except ValueError:
            return n.BadTemporal(start, text)

    def limit(self) -> n.Node:
        """An expression that may turn out to be one end of a range."""
        self.endpoint = True
        node = self.parse(0)
        self.endpoint = False
        return node

    def parenthesis(self, tests: bool = False) -> n.Node:
        start = self.token.start
        self.index += 1
        first = self.limit()
        if self.is_op(".."):
            return self.range(start, first, closed=False)
        if tests and self.is_op(","):
            items = [first]
            while self.take(","):
                items.append(self.parse(0))
            self.expect(")", T("at the end of the tests"))
            return self.built(n.Tests(start, items), *items)
        self.expect(")", T("at the end of the brackets"))
        return first

    def bracket(self) -> n.Node:
        start = self.token.start
        self.index += 1
        if self.take("]"):
            return n.ListNode(start, [])
        first = self.limit()
        if self.is_op(".."):
            return self.range(start, first, closed=True)
        items = [first]
        while self.take(","):
            items.append(self.parse(0))
        self.expect("]", T("at the end of the list"))
        return self.built(n.ListNode(start, items), *items)

    def open_range(self) -> n.Node:
        start = self.token.start
        self.index += 1
        first = self.limit()
        if not self.is_op(".."):
            raise self.unexpected()
        return self.range(start, first, closed=False)

    def range(self, start: int, low: n.Node, *, closed: bool) -> n.Node:
        self.index += 1
        high = self.limit()
        if self.token.kind != "op" or self.token.text not in (")", "]", "["):
            raise self.error(T("A range ends with ) or ]."))
        high_closed = self.token.text == "]"
        self.index += 1
        return self.built(n.RangeNode(start, low, high, closed, high_closed), low, high)

    def context(self) -> n.Node:
        start = self.token.start
        self.index += 1
        entries: list[tuple[str, n.Node]] = []
        with self.scope(()) as scope:
            while not self.is_op("}"):
                key = self.key()
                if self.is_word("function"):
                    scope.add(key)
                value = self.parse(0)
                scope.add(key)
                self.keys.add(key)
                entries.append((key, value))
                if not self.take(","):
                    break
            self.expect("}", T("at the end of the context"))
        return self.built(n.ContextNode(start, entries), *[value for _, value in entries])

    def key(self) -> str:
        if self.token.kind in ("string", "quoted"):
            token = self.token
            self.index += 1
            self.expect(":", T("after the key"))
            return string_value(token, self.source) if token.kind == "string" else token.text[1:-1]
        if self.token.kind != "name":
            raise self.unexpected()
        return self.bound_name((":",), T("after the key"))

    def bound_name(self, ends: tuple[str, ...], where: Words, *, consume: bool = True) -> str:
        """A name being introduced: everything up to one of the signs or words that may follow it."""
        first = self.index
        while self.token.text not in ends:
            if self.token.kind not in ("name", "number", "quoted") and self.token.text not in ("-", "+", "*", "/", ".", "'"):
                raise self.error(T('"%(sign)s" is missing %(where)s, before %(found)s.', sign=ends[0], where=where, found=self.found()))
            self.index += 1
        if self.index == first:
            raise self.unexpected()
        name = self.text_between(first, self.index).strip("`")
        self.index += consume
        return name

    # -- words that start an expression -------------------------------------------------------------------------

    def conditional(self, token: Token) -> n.Node:
        condition = self.parse(0)
        self.expect("then", T("after the condition of if"))
        yes = self.parse(0)
        self.expect("else", T("after the first branch of if"))
        no = self.parse(0)
        return self.built(n.If(token.start, condition, yes, no), condition, yes, no)

    def iterators(self, scope: Names) -> list[n.Iterator]:
        result = []
        while True:
            start = self.token.start
            name = self.bound_name(("in",), T("after the iteration variable"))
            source = self.parse(0)
            last = self.parse(0) if self.take("..") else None
            result.append(self.built(n.Iterator(start, name, source, last), source, last))
            scope.add(name)
            if not self.take(","):
                return result

    def iteration(self, token: Token) -> n.Node:
        with self.scope(()) as scope:
            iterators = self.iterators(scope)
            self.expect("return", T("after the lists of for"))
            scope.add("partial")
            body = self.parse(0)
        return self.built(n.For(token.start, iterators, body), body, *iterators)

    def quantified(self, token: Token) -> n.Node:
        with self.scope(()) as scope:
            iterators = self.iterators(scope)
            self.expect("satisfies", T("after the lists of some or every"))
            condition = self.parse(0)
        return self.built(n.Quantified(token.start, token.text == "every", iterators, condition), condition, *iterators)

    def function(self, token: Token) -> n.Node:
        self.expect("(", T("after function"))
        parameters: list[str] = []
        types: list[Type] = []
        while not self.is_op(")"):
            parameters.append(self.bound_name((":", ",", ")"), T("after the parameter"), consume=False))
            types.append(read_type(self) if self.take(":") else ANY)
            if not self.take(","):
                break
        self.expect(")", T("at the end of the parameters"))
        if self.take("external"):
            self.parse(0)
            return n.FunctionDefinition(token.start, parameters, types, None, self.source)
        with self.scope(parameters):
            body = self.parse(0)
        return self.built(n.FunctionDefinition(token.start, parameters, types, body, self.source), body)

    def negated_tests(self) -> n.Tests | None:
        """``not(test, …)`` (rule 15), or ``None`` when something else stands here."""
        following = self.tokens[min(self.index + 1, len(self.tokens) - 1)]
        if not self.is_word("not") or following.text != "(" or "not" in self.outer.all:
            return None
        start = self.token.start
        self.index += 2
        with self.nested():
            tests = [self.parse(0)]
            while self.take(","):
                tests.append(self.parse(0))
        self.expect(")", T("at the end of the tests"))
        return self.built(n.Tests(start, tests, True), *tests)


_PREFIX = {
    "?": Parser.input_value,
    "-": Parser.negation,
    "@": Parser.temporal,
    "(": Parser.parenthesis,
    "[": Parser.bracket,
    "]": Parser.open_range,
    "{": Parser.context,
} | dict.fromkeys(COMPARISONS, Parser.comparison)
_KEYWORDS = {
    "if": Parser.conditional,
    "for": Parser.iteration,
    "some": Parser.quantified,
    "every": Parser.quantified,
    "function": Parser.function,
}
_MULTI_WORD_CACHE: dict[frozenset[str], Names] = {}


def _multi_word(names: frozenset[str]) -> Names:
    if names not in _MULTI_WORD_CACHE:
        _MULTI_WORD_CACHE[names] = Names(name for name in names if " " in name)
    return _MULTI_WORD_CACHE[names]
