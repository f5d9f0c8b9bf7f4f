// Tries a message that cannot be processed again after 1, 2, 4 ... seconds, then sends it to <stream>_errors.

import { setTimeout as pause } from 'node:timers/promises'
import { consume, createStream, lastPublishingId, publish, sendToErrorStream } from './gateway.mjs'

const stream = process.env.STREAM ?? 'example-javascript-payments'
const maxRetries = Number(process.env.MAX_RETRIES ?? 2)
const backoffSeconds = Number(process.env.BACKOFF_SECONDS ?? 1)
const consumer = 'billing'
const attempts = new Map()

await createStream(stream)
const first = await lastPublishingId(stream, 'shop') + 1
await publish(stream, 'shop', [0, 1, 1000, 0].map((failures, index) => ({
  body: { number: first + index, failures }, publishingId: first + index
})))

await consume(stream, consumer, handle)
console.log('end of stream')

// The next message waits meanwhile, which keeps the order. Where order does not matter, send the message to a stream of
// its own, whose consumer does the waiting.
async function handle (message) {
  for (let retry = 0; ; retry++) {
    try {
      return pay(message.body)
    } catch (error) {
      if (retry === maxRetries) {
        console.log(`${error.message}, for good: sending the message at offset ${message.offset} to ${stream}_errors`)
        return await sendToErrorStream(stream, consumer, message, error)
      }
      const seconds = backoffSeconds * 2 ** retry
      console.log(`${error.message}, trying again in ${seconds} s`)
      await pause(seconds * 1000)
    }
  }
}

// Stands for a call of another system, which fails as many times as the payment's `failures` says.
function pay ({ number, failures }) {
  const attempt = (attempts.get(number) ?? 0) + 1
  attempts.set(number, attempt)
  if (attempt <= failures) throw new Error(`payment ${number} failed`)
  console.log(`payment ${number} worked at attempt ${attempt}`)
}
