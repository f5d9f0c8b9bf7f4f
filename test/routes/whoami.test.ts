import t from 'tap'
import { startGateway } from '../support/gateway.ts'

t.test('where nobody is asked, everybody is told so', async (t) => {
  const gateway = await startGateway(t)
  const answer = await gateway.get('/v1/whoami')
  t.equal(answer.status, 200)
  t.same(answer.json, { caller: 'anybody', scheme: 'none', virtualHost: '/' })
})

t.test('a request without a credential is told which kinds there are, and nothing else', async (t) => {
  const gateway = await startGateway(t, { AUTH: 'rabbitmq' })
  for (const path of ['/v1/whoami', '/v1/streams', '/v1/streams/any', '/v1/streams/any/messages', '/metrics']) {
    const answer = await gateway.get(path)
    t.equal(answer.status, 401, path)
    t.match(answer.json, { code: 'unauthorized', retryable: false, sideEffects: 'none' })
    t.match([answer.headers['www-authenticate']].flat().join(), /^Bearer realm="[^"]+",Basic realm="[^"]+", charset=/)
  }
  for (const path of ['/', '/health/live', '/health/ready', '/problems/unauthorized', '/docs/', '/openapi.json']) {
    t.equal((await gateway.get(path)).status, 200, path)
  }
})

t.test('a request with two credentials is refused', async (t) => {
  const gateway = await startGateway(t)
  const { status, json } = await gateway.request('GET', '/v1/whoami', {
    headers: { authorization: 'Bearer a', Authorization: 'Bearer b' }
  })
  t.equal(status, 400)
  t.match(json, { code: 'bad_request' })
})
