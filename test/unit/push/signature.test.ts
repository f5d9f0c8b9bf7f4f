import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { keyOf, newSecret, signatureOf, webhookId } from '../../../src/push/delivery/signature.ts'

const PLACE = { virtualHost: '/', stream: 'orders.v1', timestamp: 1_700_000_000_000, offset: 7 }

t.test('a signature is verified by the library of Standard Webhooks, with the old and with the new secret', (t) => {
  const secrets = [newSecret(), newSecret()]
  const keys = secrets.map((secret) => keyOf(secret)).filter((key) => key !== undefined)
  const id = webhookId(PLACE, 'billing')
  const timestamp = Math.floor(Date.now() / 1000)
  const body = '{"order":"Zürich"}'
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': signatureOf(keys, id, timestamp, Buffer.from(body))
  }
  for (const secret of secrets) t.same(new Webhook(secret).verify(body, headers), JSON.parse(body))
  t.throws(() => new Webhook(newSecret()).verify(body, headers))
  t.throws(() => new Webhook(secrets[0] ?? '').verify(body.replace('Z', 'z'), headers))
  t.end()
})

t.test('the id of a message is the same for every try, and another one for another subscription or stream', (t) => {
  const id = webhookId(PLACE, 'billing')
  t.equal(id, webhookId({ ...PLACE }, 'billing'))
  t.match(id, /^msg_[\w-]{24}$/)
  const others = [
    webhookId(PLACE, 'shipping'),
    webhookId({ ...PLACE, offset: 8 }, 'billing'),
    webhookId({ ...PLACE, timestamp: PLACE.timestamp + 1 }, 'billing'),
    webhookId({ ...PLACE, virtualHost: 'shop' }, 'billing')
  ]
  t.equal(new Set([id, ...others]).size, 5)
  t.end()
})

t.test('a text that is not a secret of 24 to 64 bytes is not taken', (t) => {
  for (const text of ['', 'whsec_', 'secret', `whsec_${'A'.repeat(28)}`, `whsec_${'A'.repeat(96)}`, 'whsec_ä']) {
    t.equal(keyOf(text), undefined, text)
  }
  t.equal(keyOf(`whsec_${Buffer.alloc(24).toString('base64')}`)?.length, 24)
  t.end()
})
