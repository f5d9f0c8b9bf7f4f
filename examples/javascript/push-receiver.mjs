// Receives the deliveries of a push subscription. Only Node.js.
// SECRETS: the secrets of the subscription, separated by commas. PORT: 8000 by default.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'

const KEYS = process.env.SECRETS.split(',').map((secret) => Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
const TOLERANCE_SECONDS = 300
const processed = new Set() // a service keeps the ids in its database, in the transaction of its work

function isSigned (headers, body) {
  const timestamp = Number(headers['webhook-timestamp'])
  // A request that somebody has recorded is not taken.
  if (!(Math.abs(Date.now() / 1000 - timestamp) <= TOLERANCE_SECONDS)) return false
  const start = `${headers['webhook-id']}.${headers['webhook-timestamp']}.`
  const given = (headers['webhook-signature'] ?? '').split(' ').map((text) => Buffer.from(text))
  return KEYS.some((key) => {
    const own = Buffer.from(`v1,${createHmac('sha256', key).update(start).update(body).digest('base64')}`)
    return given.some((signature) => signature.length === own.length && timingSafeEqual(signature, own))
  })
}

function handle (message) {
  if (message.body === 'bad') throw new Error('a message that cannot be processed')
  console.log('processed', message.offset, JSON.stringify(message.body))
}

function statusOf (headers, body) {
  if (!isSigned(headers, body)) return 401
  const id = headers['webhook-id']
  if ('delivery-test' in headers || processed.has(id)) return 204
  try {
    handle(JSON.parse(body.toString()))
  } catch (error) {
    console.log('refused', error.message)
    return 422 // it goes to the error stream, after some more tries
  }
  processed.add(id)
  return 204
}

const server = createServer(async (request, response) => {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  response.writeHead(statusOf(request.headers, Buffer.concat(chunks))).end()
})

server.listen(Number(process.env.PORT ?? 8000), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`)
})
