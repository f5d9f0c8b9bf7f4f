import { ensureBuild, ensureDependencies } from './setup/dependencies.mjs'
import { isNodeNewEnough } from './setup/node-version.mjs'
import { runMain } from './setup/say.mjs'
import { catchSignals } from './setup/signals.mjs'

/*
 * npm run dashboard [-- --seconds 200]: draws the dashboard of deploy/grafana for docs/monitoring.md. Its queries are
 * answered by a real Prometheus, which scrapes two real gateways under load.
 */
await runMain(async () => {
  catchSignals()
  if (!isNodeNewEnough()) return 1
  await ensureDependencies()
  await ensureBuild()
  const { register } = await import('tsx/esm/api')
  register()
  const { main } = await import('./dashboard/main.ts')
  return await main()
})
