import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { startBroker } from './broker/index.mjs'
import { ensureBuild, ensureDependencies } from './setup/dependencies.mjs'
import { checkPort, Gateway, gatewayAddress } from './setup/gateway.mjs'
import { isNodeNewEnough } from './setup/node-version.mjs'
import { findOnPath } from './setup/programs.mjs'
import { runMain, say, Stop } from './setup/say.mjs'
import { catchSignals, interruption } from './setup/signals.mjs'

/*
 * npm run fuzz:api [-- --seeds 1,2,3 --seconds 100]: has Schemathesis (pip install schemathesis) make requests from the
 * OpenAPI document and hold the answers against it, once for each seed, on a private RabbitMQ. SCHEMATHESIS names its
 * program where it is not on the PATH.
 */
await runMain(async () => {
  const { seeds, seconds } = readArguments()
  catchSignals()
  if (!isNodeNewEnough()) return 1
  const program = process.env['SCHEMATHESIS'] || findOnPath('schemathesis')
  if (program === undefined) throw new Stop('Schemathesis is not on the PATH: pip install schemathesis')
  const address = gatewayAddress()
  await checkPort(address)
  await ensureDependencies()
  await ensureBuild()
  say('Starting a private RabbitMQ ...')
  const broker = await startBroker({ version: process.env['TEST_RABBITMQ'] || undefined })
  const gateway = new Gateway({
    RABBITMQ_STREAM_URL: broker.node.streamUrl,
    RABBITMQ_MANAGEMENT_URL: broker.node.managementUrl,
    LOG_LEVEL: 'error'
  })
  try {
    await gateway.untilReady()
    let worst = 0
    for (const seed of seeds) {
      if (interruption.aborted) break
      say(`Seed ${seed}, for ${seconds} seconds ...`)
      worst = Math.max(worst, await fuzz(program, `http://${address.host}:${address.port}`, seed, seconds))
    }
    return worst
  } finally {
    await gateway.stop()
    await broker.close()
  }
})

/**
 * @param {string} program
 * @param {string} origin
 * @param {number} seed
 * @param {number} seconds
 * @returns {Promise<number>} its exit code
 */
async function fuzz (program, origin, seed, seconds) {
  const child = spawn(program, [
    'run', `${origin}/openapi.json`, '--phases', 'coverage,fuzzing,stateful', '--seed', String(seed),
    '--max-time', String(seconds), '--request-timeout', '70',
    // A request may be refused although each of its parameters is valid: two that exclude each other, an offset beyond
    // the end, an expectation that does not hold. JSON Schema cannot say that of parameters.
    '--exclude-checks', 'positive_data_acceptance'
  ], { stdio: 'inherit' })
  interruption.addEventListener('abort', () => child.kill('SIGTERM'), { once: true })
  return await new Promise(resolve => child.once('exit', code => resolve(code ?? 1)))
}

function readArguments () {
  const { values } = parseArgs({
    options: { seeds: { type: 'string', default: '1,2,3' }, seconds: { type: 'string', default: '100' } }
  })
  const seeds = values.seeds.split(',').map(Number)
  const seconds = Number(values.seconds)
  if (![...seeds, seconds].every((number) => Number.isSafeInteger(number) && number > 0)) {
    throw new Stop('--seeds takes whole numbers with commas between them, --seconds a whole number.')
  }
  return { seeds, seconds }
}
