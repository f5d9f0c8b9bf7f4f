import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { ensureDependencies } from '../setup/dependencies.mjs'
import { projectDirectory } from '../setup/paths.mjs'
import { runMain } from '../setup/say.mjs'

/*
 * npm run keys -- ARGUMENTS: the gateway's own command for keys, also in a fresh clone, from the sources.
 */
await runMain(async () => {
  await ensureDependencies()
  const args = ['--import', 'tsx', 'src/server.ts', 'keys', ...process.argv.slice(2)]
  const child = spawn(process.execPath, args, { cwd: projectDirectory, stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  return Number(code ?? 1)
})
