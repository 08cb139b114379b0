/**
 * Hints of bpmnlint about how a drawing reads: names that are missing, shapes that lie upon each other, gateways that do
 * nothing. What the standard demands is the server's check; a rule that both have is not asked here. Nor is “fake join”: a way
 * back into an earlier step is how every procedure draws a return.
 */
import Linter from 'bpmnlint/lib/linter.js';
import StaticResolver from 'bpmnlint/lib/resolver/static-resolver.js';
import labelRequired from 'bpmnlint/rules/label-required.js';
import duplicateFlows from 'bpmnlint/rules/no-duplicate-sequence-flows.js';
import joinFork from 'bpmnlint/rules/no-gateway-join-fork.js';
import overlapping from 'bpmnlint/rules/no-overlapping-elements.js';
import superfluousGateway from 'bpmnlint/rules/superfluous-gateway.js';
import superfluousTermination from 'bpmnlint/rules/superfluous-termination.js';

import { words } from './words.js';

const RULES = {
  'label-required': labelRequired,
  'no-duplicate-sequence-flows': duplicateFlows,
  'no-gateway-join-fork': joinFork,
  'no-overlapping-elements': overlapping,
  'superfluous-gateway': superfluousGateway,
  'superfluous-termination': superfluousTermination,
};

/** The sentence for a rule; its own is English and names no element. */
const SENTENCES = {
  'label-required': '“{name}” has no name.',
  'no-duplicate-sequence-flows': '“{name}” repeats a flow that is there already.',
  'no-gateway-join-fork': 'The gateway “{name}” joins and forks at once; two gateways are easier to read.',
  'no-overlapping-elements': '“{name}” lies upon another element or outside its frame.',
  'superfluous-gateway': 'The gateway “{name}” has one way in and one way out; it does nothing.',
  'superfluous-termination': '“{name}” terminates where nothing else can run; a plain end is enough.',
};

/** Kinds of elements for those without a name, by the ending of their type. */
const kindOf = (element) => words(element.type.replace('bpmn:', '').replace(/([a-z])([A-Z])/g, '$1 $2'));

/** Rules keep what they have seen, so each look takes new ones. */
const newLinter = () => new Linter({
  config: { rules: Object.fromEntries(Object.keys(RULES).map((name) => [name, 'info'])) },
  resolver: new StaticResolver(Object.fromEntries(Object.entries(RULES).map(([name, rule]) => [`rule:bpmnlint/${name}`, rule]))),
});

/** Hints about the drawing as `{file, elementId, rule, message, severity: 'hint'}`. */
export async function hintsFor(modeler, file) {
  const registry = modeler.get('elementRegistry');
  const found = await newLinter().lint(modeler.getDefinitions());
  return Object.entries(found).flatMap(([rule, reports]) =>
    reports
      .map(({ id }) => ({ id, element: registry.get(id) }))
      .filter(({ element }) => element && SENTENCES[rule])
      .map(({ id, element }) => ({ file, line: null, elementId: id, rule, severity: 'hint', message: words(SENTENCES[rule], { name: element.businessObject.name || kindOf(element) }) })),
  );
}
