import { spawn } from 'node:child_process'
import t from 'tap'
import { MessageBatch } from '../../src/streams/index.ts'
import { newStream, openBroker, readAll } from '../support/streams.ts'
import { exactly } from '../support/exactly.ts'

// What docs/decisions/0001-own-protocol-client.md argues from, each in a process of its own.

const MAX_MS = 20_000

/** Shows a fault. @returns what the process said, line by line, and its exit code */
async function show (fault: string, stream: string): Promise<{ said: unknown[], code: number | null, errors: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'test/interop/js-client-fault.ts', fault, stream], { timeout: MAX_MS })
  const output = { said: '', errors: '' }
  child.stdout.on('data', (data: Buffer) => { output.said += data.toString() })
  child.stderr.on('data', (data: Buffer) => { output.errors += data.toString() })
  const code = await new Promise<number | null>((resolve) => { child.on('close', resolve) })
  return { said: output.said.split('\n').filter((line) => /^["[]/.test(line)).map((line) => JSON.parse(line)), code, errors: output.errors }
}

t.test('the JavaScript client is no base for a gateway', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)

  await t.test('a Close of the broker ends the process', async (t) => {
    t.match(await show('close of the broker', stream), { said: exactly(), code: 1, errors: /rabbitmq-stream-js-client/ })
  })
  await t.test('a message with a type it does not know ends the process', async (t) => {
    const foreign = await newStream(t, broker)
    const batch = new MessageBatch()
    batch.add({ body: { kind: 'value', value: { type: 'uuid', value: '00000000-0000-0000-0000-000000000000' } } })
    await broker.publishing.publish(foreign, batch)
    t.match(await show('foreign message', foreign), { said: exactly(), code: 1, errors: /rabbitmq-stream-js-client/ })
  })
  await t.test('a wrong password is an unhandled rejection, and connecting never settles', async (t) => {
    const { said } = await show('wrong password', stream)
    t.ok(said.includes('unhandled') || said.includes('uncaught'))
    t.notOk(said.includes('settled'))
  })
  await t.test('a request waits for ever when its connection is gone', async (t) => {
    t.same((await show('no deadline', stream)).said, ['waits'])
  })
  await t.test('a publish error loses its publishing id and its code', async (t) => {
    const [said] = (await show('publish error', stream)).said
    t.notMatch(JSON.stringify(said), /77/)
    t.notMatch(JSON.stringify(said), /17/)
  })
  await t.test('offsets in sub-entry batches begin at 0 again', async (t) => {
    const batches = await newStream(t, broker)
    t.same((await show('offsets in batches', batches)).said, [[['a1', 0], ['a2', 1], ['a3', 2], ['b1', 0], ['b2', 1], ['b3', 2]]])
    t.equal((await readAll(broker, batches)).length, 6)
  })
  await t.test('messages that are too much for one frame together are said to be sent, and lost', async (t) => {
    t.same((await show('frames by number', await newStream(t, broker))).said, [[5, 1]], 'only the small one before them is stored')
  })
})
