import { startBroker } from './broker/index.mjs'
import { checkNode, ensureBuild, ensureDependencies } from './setup/dependencies.mjs'
import { runMain, say } from './setup/say.mjs'
import { catchSignals, exitCodeOf, interruption } from './setup/signals.mjs'
import { ensureTapPlugins, runTap } from './setup/tap.mjs'

/*
 * npm test [-- FILE ...]: the tests, or some files of them, against a RabbitMQ of their own.
 *   TEST_RABBITMQ=4.0|4.3   its version; without it any that is new enough, 4.0 where it has to be fetched
 *   TEST_STREAM_URL, TEST_MANAGEMENT_URL, TEST_AMQP_URL   of a broker that runs already: none is started then
 * The last line printed is `N passed, N failed`.
 */
await runMain(async () => {
  catchSignals()
  const files = process.argv.slice(2)
  checkNode()
  await ensureDependencies()
  await ensureTapPlugins()
  // The whole suite also tests what is built; some files are for the inner loop.
  if (files.length === 0) await ensureBuild()
  const { passed, failed, code } = process.env['TEST_STREAM_URL'] ? await runTap(files, {}) : await runWithBroker(files)
  process.stdout.write(`${passed} passed, ${failed} failed\n`)
  return interruption.aborted ? exitCodeOf(interruption.reason) : code
})

/** @param {string[]} files */
async function runWithBroker (files) {
  const version = process.env['TEST_RABBITMQ'] || undefined
  say(`Starting a private RabbitMQ${version ? ` ${version}` : ''} for the tests ...`)
  const broker = await startBroker({ version })
  try {
    say(`RabbitMQ ${broker.node.version} is ready: ${broker.node.streamUrl}`)
    return await runTap(files, {
      TEST_STREAM_URL: broker.node.streamUrl,
      TEST_MANAGEMENT_URL: broker.node.managementUrl,
      TEST_AMQP_URL: broker.node.amqpUrl
    })
  } finally {
    await broker.close()
  }
}
