/**
 * The components that the palette of the form editor offers: those that the server compiles and that make sense on a page of ours.
 * Buttons belong to the step (同意 / 退回), not to the form; a foreign page inside a form is refused by the policy of our pages; a file
 * is shown by our own list of documents. A form that has one of these from elsewhere keeps it.
 */
export const OFFERED = new Set([
  'textfield',
  'textarea',
  'number',
  'datetime',
  'expression',
  'filepicker',
  'checkbox',
  'checklist',
  'radio',
  'select',
  'taglist',
  'text',
  'html',
  'table',
  'image',
  'spacer',
  'separator',
  'group',
  'dynamiclist',
]);
