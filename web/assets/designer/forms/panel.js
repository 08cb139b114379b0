/**
 * What the properties of a form leave out: the id of the form itself is changed by “改名”, which takes the drawings along; a version tag
 * says nothing to the engine.
 */
class Provider {
  static $inject = ['propertiesPanel'];

  constructor(propertiesPanel) {
    // After the standard provider, so that its groups are there.
    propertiesPanel.registerProvider(this, 500);
  }

  getGroups(field) {
    return (groups) => (field.type === 'default' ? groups.filter((each) => each.id !== 'general') : groups);
  }
}

export const officePanelModule = { __init__: ['officeFormPanel'], officeFormPanel: ['type', Provider] };
