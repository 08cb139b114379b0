/**
 * The FEEL editors (CodeMirror) write their styles into `<style>` elements, which the policy allows only with the nonce of
 * this page. The page carries it on the editor's place; it is taken off there once it is known.
 */
const place = document.getElementById('designer');
const nonce = place?.dataset.styleNonce ?? '';
place?.removeAttribute('data-style-nonce');

const createElement = document.createElement.bind(document);
document.createElement = (name, options) => {
  const node = createElement(name, options);
  if (nonce && String(name).toLowerCase() === 'style') {
    node.setAttribute('nonce', nonce);
  }
  return node;
};
