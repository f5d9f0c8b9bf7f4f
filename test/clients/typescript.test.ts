import { mkdtemp, copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { getJson, run, startGatewayProcess } from '../docs/support.ts'

const STRICT = [
  '--noEmit', '--strict', '--skipLibCheck', 'false', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess',
  '--allowImportingTsExtensions', '--module', 'nodenext', '--target', 'es2023', '--types', 'node'
]

t.test('a client with types of the document compiles strictly, publishes, reads and stores offsets', async (t) => {
  // Within the project, so that imports find its packages.
  const folder = await mkdtemp('.client-')
  t.teardown(async () => { await rm(folder, { recursive: true }) })
  const worker = join(folder, 'worker.ts')
  await copyFile('examples/typescript/worker.ts', worker)
  const generator = 'node_modules/openapi-typescript/bin/cli.js'
  const output = join(folder, 'gateway.ts')
  const config = 'test/clients/openapi-typescript.yaml'
  const made = await run(process.execPath, [generator, 'openapi/openapi.json', '--redocly', config, '-o', output], {})
  t.equal(made.code, 0, made.stderr)
  const compiler = ['node_modules/typescript/bin/tsc', ...STRICT, '--ignoreConfig']
  const compiled = await run(process.execPath, [...compiler, worker], {})
  t.equal(compiled.code, 0, compiled.stdout)

  const gateway = await startGatewayProcess(t)
  const env = { GATEWAY_URL: gateway, STREAM: 'typed' }
  for (const round of [1, 2]) {
    const { code, stdout, stderr } = await run(process.execPath, ['--import', 'tsx', worker], env)
    t.equal(code, 0, stderr)
    const orders = [...stdout.matchAll(/"order":(\d+)/g)].map(([, order]) => Number(order))
    t.same(orders, Array.from({ length: 10 }, (_, index) => (round - 1) * 10 + index + 1))
  }
  t.match(await getJson(`${gateway}/v1/streams/typed/consumers/typescript/offset`), { lag: 0 })
})
