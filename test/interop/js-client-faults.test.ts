import { spawn } from 'node:child_process'
import t from 'tap'
import { MessageBatch } from '../../src/streams/index.ts'
import { newStream, openBroker, readAll } from '../support/streams.ts'
import { exactly } from '../support/exactly.ts'

// The faults that docs/decisions/0001-own-protocol-client.md argues from, each in a process of its own.

const MAX_MS = 20_000
const CRASHED = { said: exactly(), code: 1, errors: /rabbitmq-stream-js-client/ }

/** Shows a fault. @returns what the process said, line by line, and its exit code */
async function show (fault: string, stream: string): Promise<{ said: unknown[], code: number | null, errors: string }> {
  const args = ['--import', 'tsx', 'test/interop/js-client-fault.ts', fault, stream]
  const child = spawn(process.execPath, args, { timeout: MAX_MS })
  const output = { said: '', errors: '' }
  child.stdout.on('data', (data: Buffer) => { output.said += data.toString() })
  child.stderr.on('data', (data: Buffer) => { output.errors += data.toString() })
  const code = await new Promise<number | null>((resolve) => { child.on('close', resolve) })
  const said = output.said.split('\n').filter((line) => /^["[]/.test(line)).map((line) => JSON.parse(line))
  return { said, code, errors: output.errors }
}

t.test('the JavaScript client cannot carry a gateway', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)

  await t.test('a Close of the broker ends the process', async (t) => {
    t.match(await show('close of the broker', stream), CRASHED)
  })
  await t.test('a message with a type it does not know ends the process', async (t) => {
    const foreign = await newStream(t, broker)
    const batch = new MessageBatch()
    batch.add({ body: { kind: 'value', value: { type: 'uuid', value: '00000000-0000-0000-0000-000000000000' } } })
    await broker.publishing.publish(foreign, batch)
    t.match(await show('foreign message', foreign), CRASHED)
  })
  await t.test('a wrong password is an unhandled rejection, and connecting never settles', async (t) => {
    const { said } = await show('wrong password', stream)
    t.ok(said.includes('unhandled') || said.includes('uncaught'))
    t.notOk(said.includes('settled'))
  })
  await t.test('a request whose connection is gone never settles', async (t) => {
    t.same((await show('no deadline', stream)).said, ['waits'])
  })
  await t.test('a publish error loses its publishing id and its code', async (t) => {
    const [said] = (await show('publish error', stream)).said
    t.notMatch(JSON.stringify(said), /77/)
    t.notMatch(JSON.stringify(said), /17/)
  })
  await t.test('offsets in sub-entry batches begin at 0 again', async (t) => {
    const batches = await newStream(t, broker)
    const offsets = [['a1', 0], ['a2', 1], ['a3', 2], ['b1', 0], ['b2', 1], ['b3', 2]]
    t.same((await show('offsets in batches', batches)).said, [offsets])
    t.equal((await readAll(broker, batches)).length, 6)
  })
  await t.test('messages that are too large for one frame together are reported as sent, and lost', async (t) => {
    const { said } = await show('frames by number', await newStream(t, broker))
    t.same(said, [[5, 1]], 'only the small message before them is stored')
  })
})
