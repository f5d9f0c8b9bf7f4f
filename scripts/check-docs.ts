import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describeSettings } from '../src/config.ts'
import { isProblemCode, PROBLEM_CODES, PROBLEMS } from '../src/api/problems.ts'

// Holds the documentation against the code. With --write it writes the two pages that the code knows by heart, else it
// compares.

const root = new URL('../', import.meta.url)
const faults: string[] = []
const page = (path: string): string => {
  try {
    return readFileSync(new URL(path, root), 'utf8')
  } catch {
    return ''
  }
}

function errorsPage (): string {
  const sections = PROBLEM_CODES.map((code) => {
    const { status, title, when, remedy } = PROBLEMS[code]
    return `## ${code}\n\n**${status} ${title}.** ${when}\n\n${remedy}\n`
  })
  return `# Errors

Every error is \`application/problem+json\` (RFC 9457), also for paths that do not exist, bodies that are not JSON, and requests that are not HTTP:

\`\`\`json
{
  "type": "/problems/offset_goes_back",
  "title": "The offset goes back",
  "status": 409,
  "detail": "the stored offset is 17 already; only a reset goes back",
  "code": "offset_goes_back",
  "retryable": false,
  "sideEffects": "none",
  "requestId": "8f1d3c1e-1c59-4b0e-9a35-1d0a9b6f4a11",
  "storedOffset": 17
}
\`\`\`

- \`code\` is what programs decide by; \`title\` and \`detail\` are for people and may change.
- \`type\` is a reference that the gateway itself answers: \`GET /problems/{code}\` says what a code means.
- \`retryable\`: the same request may succeed later. Every 503 carries \`Retry-After\`, in seconds.
- \`sideEffects\`: \`none\` when nothing was stored or changed for sure; \`possible\` when it may have been. A publish with \`possible\` is only safe to
  repeat under a publisher name with the same publishing ids.
- \`requestId\` is also in \`x-request-id\` of the answer, and in the log. A caller may choose it with a header of that name: up to 128 letters, digits
  and \`._~:/+=@-\`.
- \`errors\` names up to 20 wrong fields: \`pointer\` is a JSON pointer (RFC 6901) into the body, or \`/query/...\`, \`/path/...\` or \`/headers/...\`.
  In a body of lines or NDJSON it begins with the number of the line, from 0.
- Some problems have further members: \`firstOffset\` and \`lastOffset\`, \`nextOffset\`, \`storedOffset\`, \`lastPublishingId\`, \`offset\`, \`index\`, \`limit\`, \`limitBytes\`, \`published\`.

No answer shows a cause or a stack; the log has them for every 5xx except \`overloaded\` and \`draining\`, which are not faults.

## Publishing

A publish is answered when every message has its outcome.

| outcome | answer |
|---|---|
| all stored, or stored before under the same publishing id | 200 with \`confirmed\` and \`duplicates\` |
| some were not | 207, and \`results\` names those that did not succeed: \`index\`, \`status\` (\`failed\`: not stored; \`unknown\`: may have been), \`code\` |
| none was, all for one reason | the problem of that reason |
| a line of a streamed body is bad, or the body ends badly | the problem, with \`published\`: what became of the lines before |

${sections.join('\n')}`
}

function configurationPage (): string {
  const rows = describeSettings().map(
    ({ name, default: standard, accepts, hasFile, description }) =>
      `| \`${name}\`${hasFile ? ` or \`${name}_FILE\`` : ''} | ${standard === null ? '' : `\`${standard}\``} | ` +
      `${cell(accepts)} | ${cell(description)} |`
  )
  return `# Configuration

All settings are environment variables. A bad one stops the start with one message that names every bad variable and shows no value.
An empty variable counts as not set. The log warns of unknown variables whose names begin like settings of the gateway. The unit is the last word of a name.
A setting with \`_FILE\` may instead be the path of a file that holds the value, for secrets of Docker and Kubernetes.
Special characters in user, password and virtual host of a URL are percent-encoded.

The URL of a cluster names some of its nodes, so that one of them can be down:
\`RABBITMQ_STREAM_URL=rabbitmq-stream://user:password@rabbit1:5552,rabbit2:5552/orders\`.

Some settings go together:

- \`HTTP_CONNECTION_TIMEOUT_MS\` must be longer than \`READ_MAX_WAIT_SECONDS\`, and longer than twice \`PUBLISH_CONFIRM_TIMEOUT_MS\` and a second, or requests that
  wait would be cut off.
- \`HTTP_REQUEST_TIMEOUT_MS\` must not be shorter than \`HTTP_HEADERS_TIMEOUT_MS\`, and \`DRAIN_TIMEOUT_MS\` must be longer than \`DRAIN_DELAY_MS\`.
- \`RABBITMQ_TLS_CERT_PATH\` and \`RABBITMQ_TLS_KEY_PATH\` are set both or not at all. \`EXTERNAL\` needs them, and a \`rabbitmq-stream+tls://\` URL.

| variable | default | accepts | meaning |
|---|---|---|---|
${rows.join('\n')}
`
}

const cell = (text: string): string => text.replaceAll('|', '\\|')

function isTheSame (path: string, text: string): void {
  if (process.argv.includes('--write')) writeFileSync(new URL(path, root), text)
  else if (page(path) !== text) faults.push(`${path} is not what the code says: run \`npm run docs:check -- --write\``)
}

isTheSame('docs/errors.md', errorsPage())
isTheSame('docs/configuration.md', configurationPage())

const { scripts } = JSON.parse(page('package.json'))
const settings = new Set(describeSettings().flatMap(({ name, hasFile }) => (hasFile ? [name, `${name}_FILE`] : [name])))
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(new URL('docs/', root), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`)
]
for (const path of pages) {
  const text = page(path)
  if (text === '') faults.push(`${path} is empty or missing`)
  for (const [, command = ''] of text.matchAll(/\bnpm run ([a-z:]+)/g)) {
    if (!(command in scripts)) faults.push(`${path} names \`npm run ${command}\`, which package.json does not have`)
  }
  for (const [name] of text.matchAll(/\b(?:RABBITMQ|HTTP|PUBLISH|READ|DRAIN|LOG|STREAM)_[A-Z_]*[A-Z]\b/g)) {
    if (!settings.has(name) && !name.startsWith('STREAM_URL')) {
      faults.push(`${path} names the setting ${name}, ` +
      'which src/config.ts does not have')
    }
  }
  for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)) {
    const resolved = new URL(target, new URL(path, root))
    try {
      readFileSync(resolved)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EISDIR')) {
        faults.push(`${path} links to ` +
        `${target}, which is not there`)
      }
    }
  }
}

/** operationIds that the documentation names have to exist. */
const operations = new Set(
  [...page('openapi/openapi.json').matchAll(/"operationId": "([A-Za-z]+)"/g)].map(([, id]) => id)
)
if (operations.size === 0) faults.push('openapi/openapi.json has no operations')

/** A code beside a status is one that has it. */
for (const path of pages) {
  for (const [, status = '', code = ''] of page(path).matchAll(/\b([45]\d\d) `([a-z]+(?:_[a-z]+)*)`/g)) {
    if (!isProblemCode(code) || PROBLEMS[code].status !== Number(status)) {
      faults.push(`${path} says ${status} ` +
      `\`${code}\`, which no answer is`)
    }
  }
}

for (const fault of faults) console.error(fault)
console.log(
  `${pages.length} pages, ${settings.size} settings, ${PROBLEM_CODES.length} error codes, ${operations.size} ` +
  `operations: ${faults.length} faults`
)
if (faults.length > 0) process.exitCode = 1
