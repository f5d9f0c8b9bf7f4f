import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { ensureBuild, ensureDependencies } from './setup/dependencies.mjs'
import { isNodeNewEnough } from './setup/node-version.mjs'
import { projectDirectory } from './setup/paths.mjs'
import { tiedToParent } from './setup/parents.mjs'
import { runMain } from './setup/say.mjs'
import { catchSignals, interruption } from './setup/signals.mjs'

/*
 * npm run soak -- [--minutes 60] ...: makes faults under load for the given time and keeps a ledger. The code is in
 * test/soak/.
 */
await runMain(async () => {
  catchSignals()
  if (!isNodeNewEnough()) return 1
  await ensureDependencies()
  await ensureBuild()
  const [program = '', ...args] = tiedToParent([
    process.execPath,
    '--import',
    'tsx',
    join(projectDirectory, 'test', 'soak', 'soak.ts'),
    ...process.argv.slice(2)
  ])
  // In a process group of its own: Ctrl-C reaches this script alone, which passes it on once.
  const child = spawn(program, args, { cwd: projectDirectory, stdio: 'inherit', detached: true })
  interruption.addEventListener('abort', () => child.kill('SIGTERM'), { once: true })
  return await new Promise(resolve => child.once('exit', code => resolve(code ?? 1)))
})
