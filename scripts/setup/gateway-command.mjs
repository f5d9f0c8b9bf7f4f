import { join } from 'node:path'
import { projectDirectory } from './paths.mjs'

/**
 * The command of a gateway process: what `npm start` runs, tests kill, benchmarks measure and the image ships. Tests
 * compare it with the Dockerfile and with what the program of the package becomes.
 *
 * @param {object} [options]
 * @param {'dist/server.js' | 'src/server.ts'} [options.entry] the build, or the source run by tsx
 * @param {readonly string[]} [options.nodeOptions] further options of Node.js
 * @returns {string[]} the program and its arguments
 */
export function gatewayCommand ({ entry = 'dist/server.js', nodeOptions = [] } = {}) {
  return [
    process.execPath,
    ...entry === 'src/server.ts' ? ['--import', 'tsx'] : [],
    youngGeneration,
    ...nodeOptions,
    join(projectDirectory, entry)
  ]
}

// The default of Node.js 20. Newer versions let some 100 MB more garbage gather beside the budgets.
const youngGeneration = '--max-semi-space-size=16'
