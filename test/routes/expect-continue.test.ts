import t from 'tap'
import { adminKey, newKey, startKeyedGateway } from '../support/keyed-gateway.ts'
import { openRaw } from '../support/raw-http.ts'

const admin = adminKey()
const reader = newKey()
const { gateway } = await startKeyedGateway(t, admin, reader)
const stream = 'expected'
const path = `/v1/streams/${stream}/messages/lines`

function head (authorization: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: x\r\n${authorization}Expect: 100-continue\r\nContent-Length: 5\r\n\r\n`
}

await gateway.request('PUT', `/v1/streams/${stream}`, { headers: { ...admin.headers } })
t.teardown(async () => { await gateway.request('DELETE', `/v1/streams/${stream}`, { headers: { ...admin.headers } }) })

t.test('a caller who is refused is not told to send its body first', async (t) => {
  for (const [authorization, status] of [['', 401], [`Authorization: ${reader.headers.authorization}\r\n`, 403]]) {
    const { send, received } = await openRaw(t, gateway.port)
    send(head(String(authorization)))
    t.match(await received(/"requestId"/), new RegExp(`^HTTP/1\\.1 ${status} `))
  }
})

t.test('a caller who may publish is told to send its body, and keeps its connection', async (t) => {
  const { send, received } = await openRaw(t, gateway.port)
  for (const round of [1, 2]) {
    send(head(`Authorization: ${admin.headers.authorization}\r\n`))
    await received(new RegExp(`(HTTP/1\\.1 100 Continue\r\n\r\n.*){${round}}`, 's'))
    send('line\n')
    await received(new RegExp(`("confirmed":1.*){${round}}`, 's'))
  }
})
