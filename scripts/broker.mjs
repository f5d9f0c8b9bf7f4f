import { parseArgs } from 'node:util'
import { startBroker } from './broker/index.mjs'
import { runMain, say, Stop } from './setup/say.mjs'
import { catchSignals, untilInterrupted } from './setup/signals.mjs'

const usage = `npm run broker -- [--version 4.0|4.3] [--nodes 1]
Starts a private RabbitMQ in the foreground and prints its URLs. Ctrl-C stops it and deletes its data.`

await runMain(async () => {
  const { version, nodes, help } = readArguments()
  if (help) {
    process.stdout.write(`${usage}\n`)
    return 0
  }
  catchSignals()
  const broker = await startBroker({ version, nodes })
  try {
    for (const node of broker.nodes) {
      process.stdout.write(`${node.nodename}: RabbitMQ ${node.version}, process ${node.pid}
  RABBITMQ_STREAM_URL=${node.streamUrl}
  RABBITMQ_MANAGEMENT_URL=${node.managementUrl}
  AMQP ${node.amqpUrl}
  log ${node.directory}/log
`)
    }
    say('Ctrl-C stops it and deletes its data.')
    await untilInterrupted()
  } finally {
    say('Stopping ...')
    await broker.close()
  }
  return 0
})

function readArguments () {
  try {
    const { values } = parseArgs({
      options: {
        version: { type: 'string' },
        nodes: { type: 'string', default: '1' },
        help: { type: 'boolean', default: false }
      }
    })
    const nodes = Number(values.nodes)
    if (!Number.isInteger(nodes) || nodes < 1 || nodes > 7) {
      throw new Error('--nodes must be a whole number from 1 to 7')
    }
    return { version: values.version, nodes, help: values.help }
  } catch (error) {
    throw new Stop(`${error instanceof Error ? error.message : error}\n\n${usage}`)
  }
}
