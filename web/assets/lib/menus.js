/** Menus (`<details data-menu>`) that close as menus do, and tabs that keep what stands in the other ones. */

function closeMenus(except = null) {
  for (const menu of document.querySelectorAll('details[data-menu][open]')) {
    if (!menu.contains(except)) {
      menu.open = false;
    }
  }
}

function moveInMenu(event) {
  const menu = event.target.closest?.('details[data-menu][open]');
  if (!menu || !['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key)) {
    return;
  }
  const items = [...menu.querySelectorAll('a[href], button:not(:disabled)')];
  const at = items.indexOf(document.activeElement);
  const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[event.key];
  event.preventDefault();
  items.at(to % items.length)?.focus();
}

export function watchMenus() {
  document.addEventListener('click', (event) => closeMenus(event.target));
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape') {
      const menu = document.querySelector('details[data-menu][open]');
      closeMenus();
      menu?.querySelector('summary')?.focus();
    }
    moveInMenu(event);
  });
}

function selectTab(tab, { focus = false } = {}) {
  for (const other of tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')) {
    const chosen = other === tab;
    other.setAttribute('aria-selected', String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    const panel = document.getElementById(other.getAttribute('aria-controls'));
    if (panel) {
      panel.hidden = !chosen;
    }
  }
  if (focus) {
    tab.focus();
  }
  history.replaceState(history.state, '', `#${tab.getAttribute('aria-controls')}`);
}

const tabByPanel = (id) => (id ? document.querySelector(`[role="tab"][aria-controls="${CSS.escape(id)}"]`) : null);

export function watchTabs() {
  document.addEventListener('click', (event) => {
    const tab = event.target.closest?.('[role="tablist"] [role="tab"]');
    if (tab) {
      selectTab(tab);
    }
  });
  document.addEventListener('keydown', (event) => {
    const tab = event.target.closest?.('[role="tablist"] [role="tab"]');
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (tab && by) {
      const tabs = [...tab.closest('[role="tablist"]').querySelectorAll('[role="tab"]')];
      selectTab(tabs.at((tabs.indexOf(tab) + by) % tabs.length), { focus: true });
    }
  });
  const wanted = tabByPanel(decodeURIComponent(location.hash.slice(1)));
  if (wanted) {
    selectTab(wanted);
  }
}
