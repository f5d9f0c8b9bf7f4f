import { startBroker } from '../broker/index.mjs'
import { ensureBuild, ensureDependencies } from '../setup/dependencies.mjs'
import { runMain, say } from '../setup/say.mjs'
import { catchSignals, exitCodeOf, interruption } from '../setup/signals.mjs'
import { ensureTapPlugins, runTap } from '../setup/tap.mjs'

/*
 * npm test [-- FILE ...]: runs all tests, or those of some files, against a private RabbitMQ.
 *   TEST_RABBITMQ=4.0|4.3   its version; without it an installed one that is new enough, or else 4.0
 *   TEST_STREAM_URL, TEST_MANAGEMENT_URL, TEST_AMQP_URL   the URLs of a running broker; none is started then
 * The last line printed is `N passed, N failed`.
 */
await runMain(async () => {
  catchSignals()
  const files = process.argv.slice(2)
  await ensureDependencies()
  await ensureTapPlugins()
  // The whole suite also tests the build. Single files are run between edits and skip it.
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
