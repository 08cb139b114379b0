/**
 * Reading and writing of extension elements: `zeebe:property` (our own attributes), assignment, forms, mappings.
 * Every change is one step of undo, and touches nothing that it does not name.
 */
import { getBusinessObject, is } from 'bpmn-js/lib/util/ModelUtil.js';

/** The element that carries the attributes: of a pool it is the process in it. */
export function carrier(element) {
  const bo = getBusinessObject(element);
  return is(bo, 'bpmn:Participant') ? bo.processRef : bo;
}

/** The extension element of this type, or undefined. */
export const extension = (bo, type) => bo?.extensionElements?.values?.find((each) => is(each, type));

const entriesOf = (bo) => extension(bo, 'zeebe:Properties')?.properties ?? [];

/** name → value of our attributes; of a name given twice the last one counts, as in the engine. */
export const propertiesOf = (bo) => Object.fromEntries(entriesOf(bo).map((each) => [each.name, each.value ?? '']));

/** Collects changes to one element and does them as one step. */
export class Changes {
  /** @param {(name: string) => any} get  services of the modeler */
  constructor(get, element) {
    this.get = get;
    this.element = element;
    this.bo = carrier(element);
    this.commands = [];
  }

  /** `element` is what has to be drawn anew, where it is another than that of the panel. */
  update(moddleElement, properties, element = this.element) {
    this.commands.push({ cmd: 'element.updateModdleProperties', context: { element, moddleElement, properties } });
    return this;
  }

  make(type, properties, parent) {
    const made = this.get('bpmnFactory').create(type, properties);
    made.$parent = parent;
    return made;
  }

  /** The extension elements of `bo`, as they will be. */
  #values(bo) {
    this.values ??= new Map();
    if (!this.values.has(bo)) {
      this.values.set(bo, [...(bo.extensionElements?.values ?? [])]);
    }
    return this.values.get(bo);
  }

  /** What is drawn for `bo`: that of the panel, or a flow beside it. */
  #drawn(bo) {
    return bo === this.bo ? this.element : (this.get('elementRegistry').get(bo.id) ?? this.element);
  }

  /** Sets attributes of the extension element `type` of `bo`; `null` removes the whole element. */
  extension(type, properties, bo = this.bo) {
    const values = this.#values(bo);
    const index = values.findIndex((each) => is(each, type));
    if (properties === null) {
      if (index >= 0) {
        values.splice(index, 1);
      }
    } else if (index >= 0) {
      this.update(values[index], properties);
    } else {
      values.push(this.make(type, properties, bo.extensionElements));
    }
    return this;
  }

  /** Sets our attributes; an empty value removes one. Others, and their order, stay. */
  properties(wanted, bo = this.bo) {
    const values = this.#values(bo);
    const list = values.find((each) => is(each, 'zeebe:Properties'));
    let entries = [...(list?.properties ?? [])];
    for (const [name, value] of Object.entries(wanted)) {
      const known = entries.find((each) => each.name === name);
      if (value === undefined || value === null || value === '') {
        entries = entries.filter((each) => each.name !== name);
      } else if (known) {
        if (known.value !== value) {
          this.update(known, { value }, this.#drawn(bo));
        }
        entries = entries.filter((each) => each === known || each.name !== name);
      } else {
        entries.push(this.make('zeebe:Property', { name, value }, list));
      }
    }
    if (!entries.length && list) {
      values.splice(values.indexOf(list), 1);
    } else if (list) {
      this.update(list, { properties: entries }, this.#drawn(bo));
    } else if (entries.length) {
      const made = this.make('zeebe:Properties', { properties: entries }, bo.extensionElements);
      entries.forEach((each) => (each.$parent = made));
      values.push(made);
    }
    return this;
  }

  /** Puts or (with `null`) removes an input mapping for `target`. */
  input(target, source) {
    const mapping = this.#values(this.bo).find((each) => is(each, 'zeebe:IoMapping'));
    const inputs = (mapping?.inputParameters ?? []).filter((each) => each.target !== target);
    if (source !== null) {
      inputs.push(this.make('zeebe:Input', { source, target }, mapping));
    }
    if (!inputs.length && !(mapping?.outputParameters ?? []).length) {
      return this.extension('zeebe:IoMapping', null);
    }
    return this.extension('zeebe:IoMapping', { inputParameters: inputs });
  }

  /** Do it all, as one step of undo. */
  apply() {
    for (const [bo, values] of this.values ?? []) {
      const before = bo.extensionElements;
      if (before) {
        this.update(before, { values }, this.#drawn(bo));
      } else if (values.length) {
        const made = this.make('bpmn:ExtensionElements', { values }, bo);
        values.forEach((each) => (each.$parent = made));
        this.update(bo, { extensionElements: made }, this.#drawn(bo));
      }
    }
    if (this.commands.length) {
      this.get('commandStack').execute('properties-panel.multi-command-executor', this.commands);
    }
  }
}
