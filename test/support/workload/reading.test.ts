import { createServer } from 'node:http'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { consumeLoad, readLoad } from './reading.ts'
import { Tally, type Target } from './index.ts'

interface Poll {
  offsets: number[]
  nextOffset: number
}

/** A gateway that answers with these batches, and then with the end; `then` is called before the last. */
async function answering (t: Test, batches: readonly Poll[], then: () => void): Promise<Target> {
  const left = [...batches]
  let last: Poll = { offsets: [], nextOffset: 0 }
  const server = createServer((_, response) => {
    last = left.shift() ?? { ...last, offsets: [] }
    if (left.length === 0) then()
    const messages = last.offsets.map((offset) => ({ offset, body: `p:${offset}` }))
    const batch = { messages, nextOffset: last.nextOffset, endOfStream: left.length === 0 }
    response.writeHead(200, { connection: 'close' }).end(JSON.stringify(batch))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  const address = server.address()
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}` }
}

function poll (first: number, last: number): Poll {
  const offsets = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  return { offsets, nextOffset: last + 1 }
}

t.test('what a consumer sees again after one crash is counted over all the polls that have it', async (t) => {
  const stop = new AbortController()
  const lies: string[] = []
  const polls = [poll(0, 9), poll(0, 3), poll(4, 7), poll(8, 12), poll(13, 15)]
  const target = await answering(t, polls, () => { stop.abort() })
  const crashes = [0, 1, 1, 1]
  const seen = await consumeLoad({
    target,
    stream: 's',
    consumer: 'c',
    tally: new Tally([]),
    crashRate: 0.5,
    random: () => crashes.shift() ?? 1,
    stop: stop.signal,
    lies
  })
  t.same([seen, lies], [{ repeated: 10, largestRepeat: 10 }, []])
})

t.test('a consumer that sees again what it has committed was told a lie', async (t) => {
  const stop = new AbortController()
  const lies: string[] = []
  const target = await answering(t, [poll(0, 9), poll(10, 19), poll(9, 20)], () => { stop.abort() })
  await consumeLoad({
    target,
    stream: 's',
    consumer: 'c',
    tally: new Tally([]),
    crashRate: 0,
    random: () => 1,
    stop: stop.signal,
    lies
  })
  t.ok(lies.includes('offset 9 came after 19 was committed'))
})

t.test('a read that goes back, or continues before what it has delivered, is found', async (t) => {
  const liesOf = async (...polls: Poll[]): Promise<number> => {
    const stop = new AbortController()
    const lies: string[] = []
    const target = await answering(t, polls, () => { stop.abort() })
    await readLoad({ target, stream: 's', tally: new Tally([]), stop: stop.signal, lies })
    return lies.length
  }
  t.equal(await liesOf(poll(0, 4), poll(5, 9)), 0)
  t.equal(await liesOf({ offsets: [0, 2, 1], nextOffset: 3 }), 1)
  t.equal(await liesOf({ offsets: [0, 1, 1], nextOffset: 2 }), 1)
  t.equal(await liesOf({ offsets: [0, 1, 2], nextOffset: 2 }), 1)
  t.equal(await liesOf(poll(0, 4), poll(3, 9)), 2, 'two messages once more')
})
