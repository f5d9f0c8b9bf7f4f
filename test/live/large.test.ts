import t from 'tap'
import { gzipSync } from 'node:zlib'
import { startGateway } from '../support/gateway.ts'
import { recordsOf, storeByAmqp, storeSubEntries } from '../support/heavy-stream.ts'
import { fieldOf, LiveClient } from '../support/live-client.ts'
import type { OutgoingMessage } from '../../src/streams/index.ts'

// Compressed batches are larger than what the window holds.
const gateway = await startGateway(t, { READER_WINDOW_BYTES: '65536' })
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const GZIP = 1

function messageOf (text: string): OutgoingMessage {
  return { body: Buffer.from(text) }
}

async function storeGzip (stream: string, from: number, count: number, bytes: number): Promise<void> {
  const records = recordsOf(upTo(count).map((index) => messageOf(`${from + index} ${'x'.repeat(bytes)}`)))
  await storeSubEntries(stream, { compression: GZIP, body: gzipSync(records), count, length: records.length })
}

t.test('compressed batches come to all who follow, also to one who begins inside and one who comes late', async (t) => {
  const stream = await gateway.newStream(t)
  const url = `${gateway.url}/v1/streams/${stream}/messages`
  const early = await Promise.all(upTo(4).map(async () => await LiveClient.open(t, url)))
  await storeGzip(stream, 0, 100, 10)
  await storeGzip(stream, 100, 2000, 500)
  await gateway.publish(stream, '2100 between')
  await storeGzip(stream, 2101, 2000, 500)
  const inside = await LiveClient.open(t, `${url}?offset=1500`)
  const late = await LiveClient.open(t, `${url}?offset=first`)
  const limited = await LiveClient.open(t, `${url}?offset=90&limit=77`)
  for (const client of [...early, late]) {
    await client.until('everything', ({ messages }) => messages.length >= 4101)
    t.same(client.offsets, upTo(4101))
  }
  await inside.until('the rest', ({ messages }) => messages.length >= 2601)
  t.same(inside.offsets, upTo(2601).map((index) => 1500 + index))
  await limited.until('the end', ({ isClosed }) => isClosed)
  t.same(limited.offsets, upTo(77).map((index) => 90 + index))
  const wrong = late.messages.filter(({ data }) =>
    !String(fieldOf(data, 'body')).startsWith(`${String(fieldOf(data, 'offset'))} `))
  t.same(wrong, [])
})

t.test('a message of several MiB is one event, and others follow it', async (t) => {
  const stream = await gateway.newStream(t)
  const url = `${gateway.url}/v1/streams/${stream}/messages`
  const lines = await LiveClient.open(t, `${url}?follow=true`, { accept: '*/*' })
  const events = await LiveClient.open(t, url)
  const text = 'line\rbreak\n'.repeat(400_000)
  await storeByAmqp(stream, messageOf(text))
  await gateway.publish(stream, 'after')
  for (const client of [lines, events]) {
    await client.until('both', ({ messages }) => messages.length === 2, 30_000)
    t.ok(fieldOf(client.messages[0]?.data, 'body') === text, 'the text is whole')
    t.equal(fieldOf(client.messages[1]?.data, 'body'), 'after')
  }
})
