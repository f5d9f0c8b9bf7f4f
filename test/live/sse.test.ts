import { once } from 'node:events'
import t from 'tap'
import { EventSource } from 'eventsource'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { openRaw } from '../support/raw-http.ts'

const gateway = await startGateway(t)

t.test('an EventSource gets the opening state, what is there, and what comes', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, { n: 0 }, 'two\nlines')
  const source = new EventSource(`${gateway.url}/v1/streams/${stream}/messages?offset=first`)
  t.teardown(() => { source.close() })
  const messages: Array<{ id: string, data: unknown }> = []
  const states: unknown[] = []
  source.addEventListener('state', ({ data }) => { states.push(JSON.parse(data)) })
  source.onmessage = ({ lastEventId, data }) => { messages.push({ id: lastEventId, data: JSON.parse(data) }) }
  while (messages.length < 2) await once(source, 'message')
  await gateway.publish(stream, 'later')
  while (messages.length < 3) await once(source, 'message')
  t.match(messages, exactly(
    { id: '1', data: { offset: 0, body: { n: 0 }, bodyEncoding: 'json' } },
    { id: '2', data: { offset: 1, body: 'two\nlines' } },
    { id: '3', data: { offset: 2, body: 'later' } }
  ))
  t.match(states[0], { nextOffset: 0, lastOffset: 1, lag: 2, endOfStream: false })
  t.match(states[1], { nextOffset: 2, lastOffset: 1, lag: 0, endOfStream: true })
})

t.test('an idle stream opens at once with an id', async (t) => {
  const stream = await gateway.newStream(t)
  const raw = await openRaw(t, gateway.port)
  raw.send(`GET /v1/streams/${stream}/messages HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n`)
  const text = await raw.received(/event: state\n[^\n]*\n\n/)
  t.match(text, /^HTTP\/1\.1 200 OK/)
  t.match(text, /content-type: text\/event-stream\r\n/i)
})
