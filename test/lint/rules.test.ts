import t from 'tap'
import { checkCases, type Case } from './support.ts'

const noStatus = 'No HTTP status here.'
const meansShuttingDown = '`draining` means shutting down'
const noProcess = "Unexpected use of 'process'. Only server.ts and main.ts know the process"

const statuses = [
  'reply.code(404)',
  'reply.status(503).send()',
  'response.writeHead(200)',
  'const answer = { status: 404 }',
  'const answer = { statusCode: 404 }',
  "const answer = { 'status': 404 }",
  'response.statusCode = 404',
  'class Problem { status = 404 }'
]

const notStatuses = [
  'if (answer.statusCode === 404) work()',
  "const failure = { status: 'failed' }",
  'const failure = { status: 7 }',
  'const limits = { lines: 200 }',
  'work(404)',
  'reply.code(status)'
]

const drainingErrors = [
  ['src/streams/publishing/publisher.ts', "throw new StreamsError('draining', 'it is closed')"],
  ['src/streams/errors.ts', "export const error = new StreamsError('draining', 'it is closed', { cause })"],
  ['src/routes/health.ts', "throw new StreamsError('draining', 'it is closed')"],
  ['src/http/body.ts', "throw new RequestError('draining', 'it is closed')"]
] as const

checkCases(t, [
  ...['messages', 'push', 'live', 'access', 'text', 'streams', 'streams/publishing'].flatMap((room) =>
    statuses.map((text): Case => ({
      rule: 'architecture/statuses',
      title: `${text} in ${room}`,
      file: `src/${room}/a.ts`,
      text,
      report: noStatus
    }))),
  ...notStatuses.map((text): Case =>
    ({ rule: 'architecture/statuses', title: text, file: 'src/streams/a.ts', text })),
  ...['routes/streams.ts', 'http/body.ts', 'plugins/errors.ts', 'api/problems.ts'].map((file): Case =>
    ({ rule: 'architecture/statuses', title: `a status in ${file}`, file: `src/${file}`, text: 'reply.code(404)' })),

  ...drainingErrors.map(([file, text]): Case =>
    ({ rule: 'architecture/draining', title: `${text} in ${file}`, file, text, report: meansShuttingDown })),
  {
    rule: 'architecture/draining',
    title: 'the error in the one file that makes it',
    file: 'src/streams/ended.ts',
    text: "throw new StreamsError('draining', 'the gateway is shutting down')"
  },
  {
    rule: 'architecture/draining',
    title: 'the word where no error is made',
    file: 'src/plugins/errors.ts',
    text: "if (error.code === 'draining') throw new StreamsError('overloaded', 'draining')"
  },

  { rule: 'no-restricted-globals', title: 'process', file: 'src/app.ts', text: 'process.exit(1)', report: noProcess },
  { rule: 'no-restricted-globals', title: 'process in server.ts', file: 'src/server.ts', text: 'process.exit(1)' },

  {
    rule: 'no-restricted-syntax',
    title: 'an array as a pattern',
    file: 'test/unit/a.test.ts',
    text: 't.match(found, { names: [] })',
    report: 'As a pattern an array is only the beginning of one'
  },
  {
    rule: 'no-restricted-syntax',
    title: 'an array that is spread into a pattern',
    file: 'test/unit/a.test.ts',
    text: 't.match(found, { names: exactly(...[1, 2]) })'
  },

  {
    rule: 'no-restricted-syntax',
    title: 'the broker of the gateway in a route',
    file: 'src/routes/read/a.ts',
    text: 'await app.broker.reading.read(stream)',
    report: 'A route asks brokerOf(request)'
  },
  {
    rule: 'no-restricted-syntax',
    title: 'the broker of the caller in a route',
    file: 'src/routes/read/a.ts',
    text: 'await brokerOf(request).reading.read(stream)'
  }
])
