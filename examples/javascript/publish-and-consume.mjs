// Creates a stream, publishes ten orders, and reads from where the last run stopped. Run it twice.

import { consume, createStream, lastPublishingId, publish } from './gateway.mjs'

const stream = process.env.STREAM ?? 'example-javascript'

await createStream(stream)

// The number of an order is its publishing id. After a restart the gateway says which id was the last one.
const first = await lastPublishingId(stream, 'shop') + 1
const orders = Array.from({ length: 10 }, (_, index) => ({
  body: { order: first + index }, publishingId: first + index
}))
const answer = await publish(stream, 'shop', orders)
console.log(`stored ${answer.confirmed}, duplicates ${answer.duplicates}`)

await consume(stream, 'billing', ({ offset, body }) => console.log(`offset ${offset}: ${JSON.stringify(body)}`))
console.log('end of stream')
