// Sends a message that cannot be processed to <stream>_errors, and continues with the next message.

import { consume, createStream, lastPublishingId, publish, sendToErrorStream } from './gateway.mjs'

const stream = process.env.STREAM ?? 'example-javascript-orders'
const consumer = 'billing'

await createStream(stream)
const first = await lastPublishingId(stream, 'shop') + 1
await publish(stream, 'shop', [1, 2, 'three', 4, 5].map((quantity, index) => ({
  body: { number: first + index, quantity }, publishingId: first + index
})))

await consume(stream, consumer, async (message) => {
  try {
    invoice(message.body)
  } catch (error) {
    console.log(`sending the message at offset ${message.offset} to ${stream}_errors: ${error.message}`)
    await sendToErrorStream(stream, consumer, message, error)
  }
})
console.log('end of stream')

function invoice ({ number, quantity }) {
  if (typeof quantity !== 'number') throw new Error(`the quantity of order ${number} is not a number`)
  console.log(`order ${number}: ${quantity} pieces`)
}
