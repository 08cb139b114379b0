/** The drawing tool: bpmn-js for the zeebe dialect, put together from single packages. */
import Modeler from 'bpmn-js/lib/Modeler.js';
import { BpmnPropertiesPanelModule, BpmnPropertiesProviderModule, ZeebePropertiesProviderModule } from 'bpmn-js-properties-panel';
import { CreateAppendAnythingModule } from 'bpmn-js-create-append-anything';
import colorPicker from 'bpmn-js-color-picker';
import zeebeBehaviors from 'camunda-bpmn-js-behaviors/lib/camunda-cloud/index.js';
import grid from 'diagram-js-grid';
import minimap from 'diagram-js-minimap';
import zeebe from 'zeebe-bpmn-moddle/resources/zeebe.json';

import { translateModule } from '../lib/words.js';
import { clipboardModule } from './clipboard.js';
import { flowListsModule } from './flow_lists.js';
import { interchangeModule } from './interchange.js';
import { descriptions } from './panel/help.js';
import { panelModule } from './panel/provider.js';
import { scopeModule } from './scope.js';
import { typingModule } from './typing.js';

/** Above this number of elements the minimap, which repeats every one of them, stays closed. */
export const MANY_ELEMENTS = 1500;

/** An empty drawing of our dialect. */
export const emptyDiagram = (id, name) => `<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI" xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:modeler="http://camunda.org/schema/modeler/1.0" id="${id}_definitions" targetNamespace="https://banjie.example/processes" exporter="Banjie" exporterVersion="1" modeler:executionPlatform="Camunda Cloud" modeler:executionPlatformVersion="8.6.0">
  <bpmn:process id="${id}" name="${name.replace(/[<&"]/g, (c) => `&#${c.charCodeAt(0)};`)}" isExecutable="true">
    <bpmn:startEvent id="started" />
  </bpmn:process>
  <bpmndi:BPMNDiagram id="${id}_diagram">
    <bpmndi:BPMNPlane id="${id}_plane" bpmnElement="${id}">
      <bpmndi:BPMNShape id="started_shape" bpmnElement="started"><dc:Bounds x="180" y="160" width="36" height="36" /></bpmndi:BPMNShape>
    </bpmndi:BPMNPlane>
  </bpmndi:BPMNDiagram>
</bpmn:definitions>`;

/**
 * @param {{canvas: HTMLElement, panel: HTMLElement, book: import('./book.js').Book}} places
 */
export function createModeler({ canvas, panel, book }) {
  return new Modeler({
    container: canvas,
    propertiesPanel: { parent: panel, feelPopupContainer: panel.parentElement, description: descriptions },
    moddleExtensions: { zeebe },
    minimap: { open: false },
    book,
    additionalModules: [
      translateModule,
      BpmnPropertiesPanelModule,
      BpmnPropertiesProviderModule,
      ZeebePropertiesProviderModule,
      zeebeBehaviors,
      CreateAppendAnythingModule,
      colorPicker,
      minimap,
      grid,
      clipboardModule,
      interchangeModule,
      flowListsModule,
      scopeModule,
      panelModule,
      typingModule,
    ],
  });
}
