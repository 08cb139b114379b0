/**
 * Makes one part of a page like a new version of it and touches only what differs: whoever is reading, ticking or about to press a
 * button there keeps their place, the ticks, the open menus and the focus.
 *
 * Children with an id are found again by it among their siblings, all others by their place: what must stay needs an id.
 */

/** What the page itself writes into its elements; the server knows nothing of it. */
const OWN = {
  DETAILS: ['open'],
  INPUT: ['checked'],
};

function isOwn(node, name) {
  return (
    OWN[node.tagName]?.includes(name) ||
    (name === 'style' && node.hasAttribute('x-show')) ||
    (name === 'tabindex' && node.hasAttribute('data-row')) ||
    name === 'data-sent'
  );
}

const OWN_CLASSES = ['is-selected', 'is-current'];

function sameKind(one, other) {
  return one.nodeType === other.nodeType && one.nodeName === other.nodeName && (one.id ?? '') === (other.id ?? '');
}

function morphAttributes(old, next) {
  let rewired = false;
  const kept = OWN_CLASSES.filter((name) => old.classList.contains(name));
  for (const { name, value } of next.attributes) {
    if (old.getAttribute(name) !== value && !isOwn(old, name)) {
      old.setAttribute(name, value);
      rewired ||= name.startsWith('hx-');
    }
  }
  for (const { name } of [...old.attributes]) {
    if (!next.hasAttribute(name) && !isOwn(old, name)) {
      old.removeAttribute(name);
    }
  }
  kept.forEach((name) => old.classList.add(name));
  return rewired;
}

function morphNode(old, next, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== next.nodeValue) {
      old.nodeValue = next.nodeValue;
    }
    return;
  }
  if (old.isEqualNode(next)) {
    return;
  }
  const turned = old.matches('.light') && old.className !== next.className;
  if (morphAttributes(old, next)) {
    fresh.push(old);
  }
  if (turned) {
    old.closest('[data-row], li')?.classList.add('is-changed');
  }
  if (!old.hasAttribute('x-text')) {
    morphChildren(old, next, fresh);
  }
}

function morphChildren(old, next, fresh) {
  const wanted = new Set([...next.children].map((child) => child.id).filter(Boolean));
  const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = old.firstChild;
  const drop = () => {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  };
  for (const child of [...next.childNodes]) {
    const match = child.id ? known.get(child.id) : null;
    // What is no longer there goes first: moving the others around it would take the focus from them.
    while (at && at !== match && (at.id ? !wanted.has(at.id) : Boolean(child.id))) {
      drop();
    }
    const same = match ?? (at && !at.id && !child.id ? at : null);
    if (!same || !sameKind(same, child)) {
      old.insertBefore(child, at);
      fresh.push(child);
      continue;
    }
    if (same === at) {
      at = at.nextSibling;
    } else {
      old.insertBefore(same, at);
    }
    morphNode(same, child, fresh);
  }
  while (at) {
    drop();
  }
}

/** Make the children of `old` like those of `next`; returns the elements that are new or must be wired anew. */
export function morph(old, next) {
  const focused = document.activeElement;
  const fresh = [];
  morphChildren(old, next, fresh);
  if (focused && focused !== document.activeElement && old.contains(focused)) {
    focused.focus({ preventScroll: true });
  }
  return fresh.filter((node) => node.nodeType === Node.ELEMENT_NODE);
}
