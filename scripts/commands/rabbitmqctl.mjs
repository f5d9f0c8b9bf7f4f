import { keptNode } from '../broker/index.mjs'
import { chooseWay } from '../broker/ways.mjs'
import { runMain, Stop } from '../setup/say.mjs'

/*
 * npm run rabbitmqctl -- ARGUMENTS: RabbitMQ's own program, on the private broker of an npm start that runs.
 */
await runMain(async () => {
  const node = keptNode(await chooseWay())
  try {
    process.stdout.write(await node.ctl(...process.argv.slice(2)))
    return 0
  } catch (error) {
    // It says itself what is wrong: a stack of this script adds nothing.
    throw new Stop(error instanceof Error ? error.message : String(error))
  }
})
