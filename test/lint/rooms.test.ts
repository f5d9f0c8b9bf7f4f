import { readdirSync } from 'node:fs'
import t from 'tap'
import { covers, placeOf, roomOf } from '../../lint/places.js'
import { packages, rooms } from '../../lint/rooms.js'
import { checkCases } from './support.ts'

const rule = 'architecture/rooms'

/** The file, what it imports, and what the message says of it. */
const refused: [file: string, specifier: string, message: string][] = [
  // Between the rooms of the routes.
  ['src/routes/publish/answer.ts', '../read/query.ts', 'routes/publish may not import routes/read/query'],
  ['src/routes/read/messages.ts', '../streams.ts', 'routes/read may not import routes/streams'],
  ['src/routes/streams.ts', './consumers.ts', 'routes/streams may not import routes/consumers'],
  ['src/routes/streams.ts', './publish/publish.ts', 'routes/streams may not import routes/publish/publish'],

  // Out of the rooms that know no HTTP.
  ...['messages', 'push', 'live', 'access', 'text'].flatMap((room): typeof refused => [
    [`src/${room}/a.ts`, 'fastify', `${room} may not import the package fastify`],
    [`src/${room}/a.ts`, '@fastify/type-provider-typebox', `${room} may not import the package @fastify/`],
    [`src/${room}/a.ts`, 'node:http', `${room} may not import the package node:http`],
    [`src/${room}/a.ts`, '../http/body.ts', `${room} may not import http/body`],
    [`src/${room}/a.ts`, '../api/problems.ts', `${room} may not import api/problems`],
    [`src/${room}/a/b.ts`, '../../plugins/errors.ts', `${room} may not import plugins/errors`]
  ]),
  ['src/access/a.ts', '../streams/index.ts', 'access may not import streams/index'],
  ['src/text/a.ts', '../messages/index.ts', 'text may not import messages/index'],

  // Outward, and past the face of the domain.
  ['src/config.ts', './server.ts', 'config may not import server'],
  ['src/app.ts', './streams/index.ts', 'app may not import streams/index'],
  ['src/plugins/errors.ts', '../routes/streams.ts', 'plugins may not import routes/streams'],
  ['src/plugins/errors.ts', '../app.ts', 'plugins may not import app'],
  ['src/routes/streams.ts', '../plugins/errors.ts', 'routes/streams may not import plugins/errors'],
  ['src/routes/streams.ts', '../config.ts', 'routes/streams may not import config'],
  ['src/routes/streams.ts', '../streams/errors.ts', 'routes/streams may not import streams/errors'],
  ['src/http/body.ts', '../plugins/bodies.ts', 'http may not import plugins/bodies'],
  ['src/api/problems.ts', '../http/body.ts', 'api may not import http/body'],
  ['src/version.ts', '../package.json', 'version may not import package.json'],
  ['src/text/json.ts', '../../test/support/exactly.ts', 'text may not import test/support/exactly'],
  ['console/main.ts', '../src/api/problems.ts', 'console may not import api/problems'],

  // Inside the domain.
  ['src/streams/errors.ts', '../api/problems.ts', 'streams/errors may not import api/problems'],
  ['src/streams/ports/reading-port.ts', '../broker.ts', 'streams/ports may not import streams/broker'],
  ['src/streams/directory/directory.ts', '../ports/reading-port.ts', 'streams/directory may not import streams/ports/'],
  ['src/streams/consuming/resets.ts', '../directory/directory.ts', 'streams/consuming may not import'],
  ['src/streams/reading/reads.ts', '../consuming/resets.ts', 'streams/reading may not import streams/consuming/resets'],
  ['src/streams/reading/reads.ts', '../publishing/outcome.ts', 'streams/reading may not import streams/publishing/'],
  ['src/streams/publishing/outcome.ts', '../reading/reads.ts', 'streams/publishing may not import streams/reading/'],
  ['src/streams/topology/locator.ts', '../reading/reads.ts', 'streams/topology may not import streams/reading/reads'],
  ['src/streams/connections/slot.ts', '../topology/locator.ts', 'streams/connections may not import streams/topology/'],
  ['src/streams/protocol/socket.ts', '../errors.ts', 'streams/protocol may not import streams/errors'],
  ['src/streams/protocol/commands/open.ts', '../../connections/slot.ts', 'streams/protocol may not import'],
  ['src/streams/amqp/value.ts', '../protocol/index.ts', 'streams/amqp may not import streams/protocol/index'],
  ['src/streams/common/wait.ts', '../errors.ts', 'streams/common may not import streams/errors'],
  ['src/streams/management/checks.ts', '../classify.ts', 'streams/management may not import streams/classify'],
  ['src/streams/reading/reads.ts', '../protocol/chunk.ts', 'streams/reading may not import streams/protocol/chunk'],
  ['src/streams/reading/reads.ts', '../index.ts', 'streams/reading may not import streams/index'],

  // Packages.
  ['src/streams/broker.ts', 'fastify', 'streams/broker may not import the package fastify'],
  ['src/streams/errors.ts', '@sinclair/typebox/value', 'streams/errors may not import the package @sinclair/typebox.'],
  ['src/routes/streams.ts', 'prom-client', 'routes/streams may not import the package prom-client'],
  ['src/messages/raw.ts', 'undici', 'messages may not import the package undici'],
  ['src/push/worker/worker.ts', 'undici', 'push may not import the package undici'],
  ['src/config.ts', 'node:process', 'config may not import the package node:process'],
  ['src/config.ts', 'fs/promises', 'config may not import the package node:fs'],
  ['src/plugins/errors.ts', 'left-pad', 'plugins may not import the package left-pad. Allowed for: nothing']
]

const allowed: [file: string, specifier: string][] = [
  ['src/server.ts', './main.ts'],
  ['src/main.ts', './app.ts'],
  ['src/main.ts', 'close-with-grace'],
  ['src/app.ts', './routes/publish/publish.ts'],
  ['src/app.ts', 'fastify'],
  ['src/plugins/broker.ts', '../config.ts'],
  ['src/plugins/metrics.ts', 'prom-client'],
  ['src/routes/publish/publish.ts', './answer.ts'],
  ['src/routes/publish/publish.ts', '../../messages/index.ts'],
  ['src/routes/streams.ts', '../streams/index.ts'],
  ['src/http/body.ts', '../api/problems.ts'],
  ['src/messages/raw.ts', '../text/json.ts'],
  ['src/messages/schemas.ts', '@sinclair/typebox'],
  ['src/push/worker.ts', '../messages/index.ts'],
  ['src/push/endpoint/endpoints.ts', 'undici'],
  ['src/access/tokens.ts', 'node:crypto'],
  ['src/streams/index.ts', './reading/read-batch.ts'],
  ['src/streams/broker.ts', './ports/reading-port.ts'],
  ['src/streams/consuming/held-read.ts', '../reading/reads.ts'],
  ['src/streams/connections/slot.ts', '../protocol/index.ts'],
  ['src/streams/protocol/commands/open.ts', '../frame-writer.ts'],
  ['console/main.ts', './view.ts']
]

const formsOfImport = [
  "import { A } from '../b.ts'",
  "import type { A } from '../b.ts'",
  "import { type A } from '../b.ts'",
  "export { A } from '../b.ts'",
  "export type { A } from '../b.ts'",
  "export * from '../b.ts'",
  "const b = await import('../b.ts')",
  "let a: import('../b.ts').A",
  "import b = require('../b.ts')",
  "const b = require('../b.ts')"
]

checkCases(t, [
  ...refused.map(([file, specifier, report]) =>
    ({ rule, title: `${specifier} in ${file}`, file, text: `import '${specifier}'\n`, report })),
  ...allowed.map(([file, specifier]) =>
    ({ rule, title: `${specifier} in ${file}`, file, text: `import '${specifier}'\n` })),
  ...formsOfImport.map((text) =>
    ({ rule, title: text, file: 'src/text/a.ts', text, report: 'text may not import b. It may import: nothing' })),
  { rule, title: 'a file without a room', file: 'src/helpers/a.ts', text: '', report: 'helpers/a lies in no room.' }
])

t.test('every source has a room', async (t) => {
  const places = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
    .map((file) => placeOf(`${process.cwd()}/src/${file}`))
  t.ok(places.length > 100)
  t.strictSame(places.filter((place) => roomOf(place) === undefined), [])
})

t.test('every arrow leads to a room', async (t) => {
  const ends = [...Object.values(rooms), ...Object.values(packages)].flat()
  const folders = Object.keys(rooms).map((room) => room.replace('/*', ''))
  const leadsSomewhere = (end: string) => roomOf(end) !== undefined || folders.some((folder) => covers(end, folder))
  t.strictSame(ends.filter((end) => !leadsSomewhere(end)), [])
})

t.test('the arrows of the table form no circle', async (t) => {
  const names = Object.keys(rooms)
  const leadsTo = (name: string) => names.filter((other) =>
    other !== name && rooms[name]?.some((arrow) => {
      const folder = other.replace('/*', '')
      return covers(arrow, folder) || (covers(folder, arrow) && !names.includes(arrow))
    }))
  const behind = (name: string, seen = new Set<string>()): Set<string> => {
    for (const next of leadsTo(name).filter((next) => !seen.has(next))) behind(next, seen.add(next))
    return seen
  }
  t.ok(behind('server').has('streams/protocol'), 'the test follows arrows')
  t.strictSame(names.filter((name) => behind(name).has(name)), [])
})
