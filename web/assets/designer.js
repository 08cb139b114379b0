/** The editor of a draft: drawing, properties, findings, saving, the other files. Contract of the page: README.md. */
import './designer/nonce.js';

import { start } from './designer/page.js';

start();
