import { isNodeNewEnough } from './setup/node-version.mjs'

// The command is imported after the check: an older Node.js cannot even parse what the command imports.
if (isNodeNewEnough()) void import('./commands/keys.mjs')
