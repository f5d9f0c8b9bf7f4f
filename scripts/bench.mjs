import { ensureBuild, ensureDependencies } from './setup/dependencies.mjs'
import { isNodeNewEnough } from './setup/node-version.mjs'
import { runMain } from './setup/say.mjs'
import { catchSignals } from './setup/signals.mjs'

/*
 * npm run bench [-- OPTIONS]: runs the benchmarks, also in a fresh clone. `npm run bench -- --help` lists the options.
 */
await runMain(async () => {
  catchSignals()
  if (!isNodeNewEnough()) return 1
  await ensureDependencies()
  await ensureBuild()
  const { register } = await import('tsx/esm/api')
  register()
  const { main } = await import('../bench/main.ts')
  return await main()
})
