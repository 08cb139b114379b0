/**
 * What is copied in one drawing can be pasted in another, in another tab too. It travels through this browser's store and not
 * through the system's clipboard, which browsers open only to pages on https, and offices use plain http.
 */
import { createReviver } from 'bpmn-js-native-copy-paste/lib/PasteUtil.js';

const SLOT = 'banjie.clipboard';

class SharedClipboard {
  static $inject = ['moddle'];

  constructor(moddle) {
    this.moddle = moddle;
    this.kept = null;
  }

  get() {
    const text = localStorage.getItem(SLOT) ?? this.kept;
    return text ? JSON.parse(text, createReviver(this.moddle)) : undefined;
  }

  set(tree) {
    this.kept = JSON.stringify(tree);
    try {
      localStorage.setItem(SLOT, this.kept);
    } catch (error) {
      // Too large for the store: then it can be pasted in this drawing only.
      localStorage.removeItem(SLOT);
      console.warn('copied for this drawing only', error);
    }
  }

  clear() {
    const before = this.get();
    this.kept = null;
    localStorage.removeItem(SLOT);
    return before;
  }

  isEmpty() {
    return !(localStorage.getItem(SLOT) ?? this.kept);
  }
}

export const clipboardModule = { clipboard: ['type', SharedClipboard] };
