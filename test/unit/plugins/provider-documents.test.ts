import t from 'tap'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ProviderDocuments } from '../../../src/plugins/provider-documents.ts'
import { IdentityProvider } from '../../support/identity-provider.ts'

const MIB = 1024 * 1024

type Answer = (request: IncomingMessage, response: ServerResponse) => void

const ANSWERS: ReadonlyArray<[string, Answer, RegExp]> = [
  ['a redirect', (_request, response) => { response.writeHead(302, { location: '/elsewhere' }).end() },
    /redirects are not followed/],
  ['more than 1 MiB', (_request, response) => { response.end(JSON.stringify({ padding: 'x'.repeat(MIB) })) },
    /longer than 1 MiB/],
  ['more than 1 MiB without a length', (_request, response) => {
    const write = (): void => {
      while (!response.destroyed && response.write('"'.repeat(65_536))) { /* until it is full */ }
    }
    response.on('drain', write)
    write()
  }, /longer than 1 MiB/],
  ['text', (_request, response) => { response.end('<html>') }, /did not answer with JSON/],
  ['an error', (_request, response) => { response.writeHead(500).end() }, /answered 500/],
  ['half an answer', (_request, response) => {
    response.writeHead(200, { 'content-length': 100 })
    response.write('{', () => { response.destroy() })
  }, /did not answer/],
  ['no answer', (request) => { request.socket.destroy() }, /did not answer/],
  ['nothing for five seconds', () => {}, /did not answer within 5 seconds/],
  ['a drop a second', (_request, response) => {
    const timer = setInterval(() => { response.write(' ') }, 500)
    response.on('close', () => { clearInterval(timer) })
  }, /did not answer within 5 seconds/]
]

t.test('a document is taken within its bounds only', async (t) => {
  const provider = await IdentityProvider.start(t, [])
  const documents = new ProviderDocuments()
  t.teardown(async () => { await documents.close() })
  await t.resolveMatch(documents.get(`${provider.issuer}/keys`), { keys: [] })
  await Promise.all(ANSWERS.map(async ([what, answer, message], index) => {
    const path = `/document-${index}`
    provider.answers.set(path, answer)
    const startMs = performance.now()
    await t.rejects(documents.get(provider.issuer + path), { message }, what)
    t.ok(performance.now() - startMs < 7000, `${what}: in time`)
  }))
  t.notOk(provider.asked.includes('/elsewhere'))
})

t.test('nobody answers', async (t) => {
  const documents = new ProviderDocuments()
  t.teardown(async () => { await documents.close() })
  await t.rejects(documents.get('http://127.0.0.1:1/keys'), { message: /did not answer \(ECONNREFUSED\)/ })
})
