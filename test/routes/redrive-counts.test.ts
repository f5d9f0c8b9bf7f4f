import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { record } from '../support/schema-values.ts'
import { newSource } from '../support/subscriptions.ts'
import { until } from '../support/until.ts'

const gateway = await startPushGateway(t)

t.test('a redrive says how many entries were delivered and how many have failed again, also at its end', async (t) => {
  const receiver = await startReceiver(t)
  const { path, stream } = await newSource(t, gateway)
  const retry = { initialDelayMs: 100, maxDelayMs: 200, messageAttempts: 1 }
  const quiet = { onFailure: 'errorStream', errorStream: `${stream}_errors`, start: 'first', url: receiver.url, retry }
  receiver.react(422)
  for (const name of ['a', 'b']) await gateway.request('PUT', `${path}/${name}`, { json: quiet })
  await gateway.publish(stream, ...Array.from({ length: 10 }, (_, number) => number))
  const entries = async (): Promise<number> => {
    const { json } = await gateway.get(`/v1/streams/${stream}_errors/messages?limit=100`)
    return JSON.stringify(json).split('x-push-subscription').length - 1
  }
  await until('all have failed', async () => await entries() === 20)
  const isBad = ({ body }: Record<string, unknown>): boolean => Number(body) >= 7
  let isHeld = true
  receiver.react(({ json }) => isHeld ? 503 : isBad(record(json)) ? 422 : 204)
  const started = await gateway.request('POST', `${path}/a/redrives`)
  const { id } = record(started.json)
  t.match(started.json, { state: 'running', delivered: null, failed: null })
  const redrive = async () => record((await gateway.get(`${path}/a/redrives/${String(id)}`)).json)
  t.match(await until('it is tried', async () => {
    const now = await redrive()
    return now['lastFailure'] !== null && now
  }), { delivered: 0, failed: 0 })
  isHeld = false
  const isDone = async (): Promise<boolean> => {
    const { state, delivered } = await redrive()
    return state === 'done' && Number(delivered) === 7
  }
  await until('it has ended', isDone)
  t.match(await redrive(), { state: 'done', position: null, delivered: 7, failed: 3 })
  t.match((await gateway.get(`${path}/a/redrives`)).json, { redrives: exactly({ delivered: 7, failed: 3 }) })
  t.equal(await entries(), 23)
})
