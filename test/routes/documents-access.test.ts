import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { keyFile, newKey } from '../support/keyed-gateway.ts'

const reader = newKey()
const DOCUMENTS = ['/docs/', '/docs/json', '/docs/static/swagger-ui.css', '/openapi.json']

async function statuses (access: string, headers: Record<string, string>): Promise<number[]> {
  const gateway = await startGateway(t, { AUTH: 'api-keys', API_KEYS: keyFile(reader), DOCS_ACCESS: access })
  return await Promise.all(DOCUMENTS.map(async (path) => (await gateway.get(path, headers)).status))
}

t.test('DOCS_ACCESS says who sees the documents', async (t) => {
  t.same(await statuses('open', {}), [200, 200, 200, 200], 'everybody')
  t.same(await statuses('auth', {}), [401, 401, 401, 401], 'nobody without a credential')
  t.same(await statuses('auth', reader.headers), [200, 200, 200, 200], 'whoever has one')
  t.same(await statuses('off', reader.headers), [404, 404, 404, 404], 'nobody')
})
