import { startKeptBroker } from '../broker/index.mjs'
import { chooseWay } from '../broker/ways.mjs'
import { ensureBuild, ensureDependencies } from '../setup/dependencies.mjs'
import { checkPort, gatewayAddress, gatewayAuth, Gateway } from '../setup/gateway.mjs'
import { runMain, say } from '../setup/say.mjs'
import { catchSignals, exitCodeOf, interruption, untilInterrupted } from '../setup/signals.mjs'

/*
 * npm start: installs, builds and runs the gateway, also in a fresh clone. It uses the broker of RABBITMQ_STREAM_URL.
 * Without that setting it starts a private broker, keeps its data in .private-broker/, and stops it with the gateway.
 */
await runMain(async () => {
  catchSignals()
  await checkPort(gatewayAddress())
  const isBrokerGiven = process.env['RABBITMQ_STREAM_URL'] || process.env['RABBITMQ_STREAM_URL_FILE']
  // Before the long steps: without a broker they are of no use.
  const way = isBrokerGiven ? undefined : await chooseWay()
  await ensureDependencies()
  await ensureBuild()
  if (way === undefined) return await runGateway({})
  const broker = await startKeptBroker(way)
  try {
    const { streamUrl, managementUrl } = broker.node
    say(`RabbitMQ is ready: ${streamUrl}, management ${managementUrl}`)
    return await runGateway({ RABBITMQ_STREAM_URL: streamUrl, RABBITMQ_MANAGEMENT_URL: managementUrl }, broker.node)
  } finally {
    say('Stopping RabbitMQ ...')
    await broker.close()
  }
})

/**
 * @param {Record<string, string>} environment
 * @param {import('../broker/index.mjs').BrokerNode} [node] the private broker
 */
async function runGateway (environment, node) {
  const gateway = new Gateway(environment)
  try {
    await gateway.untilReady()
    const isStreamThere = node !== undefined && gatewayAuth() === undefined
    if (isStreamThere) await gateway.createStream('hello')
    say(gateway.welcome({ isStreamThere }))
    await Promise.race([untilInterrupted(), gateway.ended, ...(node ? [node.ended] : [])])
    if (node && node.pid === undefined) {
      say(`RabbitMQ has ended: ${await node.ended}. Its logs are in ${node.directory}/log`)
    }
  } finally {
    await gateway.stop()
  }
  const how = await gateway.ended
  if (interruption.aborted) return exitCodeOf(interruption.reason)
  say(`The gateway has ended: ${how}`)
  return 1
}
