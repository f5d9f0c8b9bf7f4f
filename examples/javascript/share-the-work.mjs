// A worker that shares the partitions of a super stream with all others of its name. Start it several times: each gets
// some of the partitions. End one, and the others have its partitions. Ctrl-C ends it.
//
// It stores what is processed now and then, and always when a partition goes to another worker. What a worker that died
// has not stored comes again, to another one: handling a message twice must do no harm.

import { setTimeout as pause } from 'node:timers/promises'
import { call, Problem } from './gateway.mjs'

const gatewayUrl = process.env.GATEWAY_URL ?? 'http://127.0.0.1:8080'
const superStream = process.env.SUPER_STREAM ?? 'example-javascript-shared'
const consumer = process.env.CONSUMER ?? 'billing'
const heartbeatSeconds = 5
const storeEvery = 100
const storeMs = 1000

const path = `/v1/super-streams/${encodeURIComponent(superStream)}`
const consumerPath = `${path}/consumers/${encodeURIComponent(consumer)}`

// The last offset processed in each partition that is not stored yet.
const processed = new Map()
let count = 0
let storedAt = Date.now()

// Partition by partition: one that another worker is ahead in does not keep back the others.
async function store (partitions) {
  for (const partition of partitions) {
    const offset = processed.get(partition)
    if (offset === undefined) continue
    processed.delete(partition)
    try {
      await call('PUT', `${consumerPath}/offset`, { offsets: { [partition]: offset } })
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'offset_goes_back') throw error
      console.log(`another worker is ahead in ${partition}`)
    }
  }
  count = 0
  storedAt = Date.now()
}

// The lines of an answer. One that was cut in the middle is left out: it comes again.
async function * lines (body, silence) {
  let rest = ''
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    silence.refresh()
    const whole = (rest + text).split('\n')
    rest = whole.pop()
    for (const line of whole) if (line !== '') yield JSON.parse(line)
  }
}

async function take (line, handle) {
  if (line.$active) {
    console.log(`has ${line.$active.partition}`)
  } else if (line.$inactive) {
    // The next worker gets the partition when this is stored, or after ten seconds.
    await store([line.$inactive.partition])
    console.log(`has not ${line.$inactive.partition}`)
  } else if (line.$gap) {
    console.log('messages are missing:', line.$gap)
  } else if (line.$problem && !line.$problem.retryable) {
    throw Object.assign(new Error(`${line.$problem.code}: ${line.$problem.detail}`), { isFinal: true })
  } else if (line.partition !== undefined) {
    await handle(line)
    processed.set(line.partition, line.offset)
    count++
  }
}

async function follow (handle) {
  const cut = new AbortController()
  // No byte for two heartbeats: the connection is dead, and nothing else says so.
  const silence = setTimeout(() => { cut.abort() }, 2000 * heartbeatSeconds + 5000)
  try {
    const query = `follow=true&singleActive=true&heartbeat=${heartbeatSeconds}`
    const response = await fetch(`${gatewayUrl}${consumerPath}/messages?${query}`, { signal: cut.signal })
    if (!response.ok) {
      const problem = await response.json()
      throw Object.assign(new Problem(response, problem), { isFinal: !problem.retryable })
    }
    for await (const line of lines(response.body, silence)) {
      await take(line, handle)
      if (count >= storeEvery || Date.now() - storedAt >= storeMs) await store([...processed.keys()])
    }
  } finally {
    clearTimeout(silence)
  }
}

await call('PUT', path, { partitions: 4 })
for (;;) {
  try {
    await follow(({ partition, offset, body }) => { console.log(`${partition} ${offset}: ${JSON.stringify(body)}`) })
  } catch (error) {
    if (error.isFinal) throw error
    console.log(`no answer: ${error.message}`)
  }
  // Others have its partitions by now: what is not stored comes again, to them.
  processed.clear()
  await pause(1000)
}
