import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { loadConfig } from '../../src/config.ts'
import { TestAuthority } from '../support/certificates.ts'
import { run } from './support.ts'
import { isNode, member, type Node } from './yaml-node.ts'

/** The variables of the gateway in compose.yaml, as Compose fills them in. */
function composed (env: Record<string, string>): Record<string, string> {
  const document: unknown = parse(readFileSync('compose.yaml', 'utf8'))
  const variables: Node = isNode(document) ? member(document, 'services.gateway.environment') : {}
  return Object.fromEntries(Object.entries(variables).map(([name, value]) => [
    name,
    String(value).replace(/\$\{(\w+)(:?)-([^}]*)\}/g, (_, variable: string, colon: string, otherwise: string) => {
      const given = env[variable]
      return given === undefined || (colon === ':' && given === '') ? otherwise : given
    })
  ]))
}

function accessOf (variables: Record<string, string>): unknown {
  const settings = { HTTP_HOST: '0.0.0.0', ...variables }
  return loadConfig(settings, (path) => {
    if (path !== '/etc/gateway/keys.json') throw new Error(`there is no ${path}`)
    return '{"keys": []}'
  }).config.access.ways
}

t.test('compose.yaml asks for keys, and the command of the README lets everybody in', async (t) => {
  t.same(accessOf(composed({})), ['api-keys'])
  const [, assignments = ''] = /^\$ (.*?) docker compose up/m.exec(readFileSync('README.md', 'utf8')) ?? []
  const env = Object.fromEntries(assignments.split(' ').map((text) => text.split('=')))
  t.same(accessOf(composed(env)), [])
})

async function listen (t: Test, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no address')
  return String(address.port)
}

t.test('the health check of the image follows the port, TLS and the port for operations', async (t) => {
  const [, json = ''] = /^HEALTHCHECK [^[]*CMD (\[[^]*?\])$/m.exec(readFileSync('Dockerfile', 'utf8')) ?? []
  const [program = '', ...args] = JSON.parse(json.replace(/\\\n/g, ''))
  const check = async (env: Record<string, string>): Promise<unknown> => (await run(program, args, env)).code
  const authority = new TestAuthority('of a test')
  t.teardown(() => { authority.close() })
  const ready: RequestListener = ({ url }, response) => response.writeHead(url === '/health/ready' ? 200 : 404).end()
  const http = await listen(t, createServer(ready))
  const https = await listen(t, createTlsServer(authority.server('gateway.example'), ready))
  const unready = await listen(t, createServer((_, response) => response.writeHead(503).end()))
  const HTTP_TLS_CERT_PATH = '/etc/gateway/tls.crt'
  t.equal(await check({ HTTP_PORT: http }), 0)
  t.equal(await check({ HTTP_PORT: unready }), 1)
  t.equal(await check({ HTTP_PORT: https, HTTP_TLS_CERT_PATH }), 0)
  t.equal(await check({ HTTP_PORT: http, HTTP_TLS_CERT_PATH }), 1)
  t.equal(await check({ HTTP_PORT: https, HTTP_TLS_CERT_PATH, OPS_PORT: http }), 0)
  t.equal(await check({ HTTP_PORT: http, OPS_PORT: unready }), 1)
})
