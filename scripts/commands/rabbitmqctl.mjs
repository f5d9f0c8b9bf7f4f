import { keptNode } from '../broker/index.mjs'
import { chooseWay } from '../broker/ways.mjs'
import { run } from '../setup/process.mjs'
import { runMain } from '../setup/say.mjs'

/*
 * npm run rabbitmqctl -- ARGUMENTS: RabbitMQ's own program, on the private broker of an npm start that runs.
 */
await runMain(async () => {
  const node = keptNode(await chooseWay())
  const { code, stdout, tail } = await run(node.command('rabbitmqctl', process.argv.slice(2)), { timeoutMs: 120_000 })
  if (code === 0) process.stdout.write(stdout)
  // It says itself what is wrong.
  else process.stderr.write(`${tail}\n`)
  return code === 0 ? 0 : 1
})
