import { createServer, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { followLoad } from './following.ts'
import { Ledger, Tally, type Target } from './index.ts'

type Act = (response: ServerResponse, lastId: string | null) => void

/** A gateway whose live answers are these, one after the other. The stored offset is 3. */
async function answering (t: Test, ...answers: Act[]): Promise<Target> {
  const server = createServer(({ url, headers }, response) => {
    if (url?.endsWith('/offset')) {
      response.end('{"storedOffset":3}')
      return
    }
    const id = headers['last-event-id'] ?? new URL(`http://x${url}`).searchParams.get('lastEventId')
    answers.shift()?.(response, String(id))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}` }
}

function message (offset: number): string {
  return JSON.stringify({ offset, body: `p:${offset}` })
}

function event (offset: number): string {
  return `retry: 10\nid: ${offset + 1}\ndata: ${message(offset)}\n\n`
}

/** Four messages are followed. */
async function follow (target: Target, by: 'events' | 'lines'): Promise<{ seen: number[], lies: string[] }> {
  const ledger = new Ledger('p', { isNamed: true, batch: 4 })
  ledger.take()
  const tally = new Tally([ledger])
  const lies: string[] = []
  const abandon = AbortSignal.timeout(10_000)
  await followLoad({ target, stream: 's', tally, by, count: Promise.resolve(4), abandon, lies })
  return { seen: [0, 1, 2, 3].map((number) => tally.timesSeen(ledger, number)), lies }
}

t.test('a follower that is cut in the middle of an event comes back with its last id', async (t) => {
  const ids: Array<string | null> = []
  const events = await answering(t,
    (response, id) => {
      ids.push(id)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(event(0) + event(1) + event(2).slice(0, -1), () => { response.destroy() })
    },
    (response, id) => {
      ids.push(id)
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event(2) + event(3))
    }
  )
  t.same(await follow(events, 'events'), { seen: [1, 1, 1, 1], lies: [] })
  const lines = await answering(t,
    (response, id) => {
      ids.push(id)
      response.write(`${message(0)}\n${message(1)}\n${message(2)}`, () => { response.destroy() })
    },
    (response, id) => {
      ids.push(id)
      response.write(`${message(2)}\n${message(3)}\n`)
    }
  )
  t.same(await follow(lines, 'lines'), { seen: [1, 1, 1, 1], lies: [] })
  t.same(ids, ['0', '2', '0', '2'])
})

t.test('a message that comes again, a gap, and an id that goes back are found', async (t) => {
  const sse = (text: string): Act => (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(text)
  }
  const again = await follow(await answering(t, sse(event(0) + event(1) + event(1) + event(3))), 'events')
  t.same(again.seen, [1, 2, 0, 1])
  t.match(again.lies[0], 'has 1 where 2 is the least')
  const gap = 'id: 2\nevent: gap\ndata: {"from":1,"to":1}\n\n'
  const missing = await follow(await answering(t, sse(event(0) + gap + event(2) + event(3) + event(3))), 'events')
  t.same(missing.seen, [1, 0, 1, 2])
  t.match(missing.lies[0], 'has a gap')
  const back = 'id: 1\nevent: state\ndata: {"nextOffset":3}\n\n'
  const { lies } = await follow(await answering(t, sse(event(0) + event(1) + event(2) + back + event(3))), 'events')
  t.match(lies, { length: 1, 0: 'has the id 1 after 3' })
})
