import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describeSettings } from '../src/config.ts'
import { PROBLEM_CODES, PROBLEMS } from '../src/problems.ts'

// Holds the documentation against the code. With --write it writes the two pages that the code knows by heart, else it compares.

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

Every error is \`application/problem+json\` (RFC 9457) with \`type\`, \`title\`, \`status\`, \`detail\`, \`code\`, \`retryable\`, \`sideEffects\` and \`requestId\`;
validation adds \`errors\` with a JSON pointer and a message each. \`type\` is \`/problems/{code}\`, which the gateway answers with the text below.

- \`retryable\`: the same request may succeed later. 429 and 503 carry \`Retry-After\`.
- \`sideEffects\`: \`none\` when nothing was changed or stored, \`possible\` when that is not known.

${sections.join('\n')}`
}

function configurationPage (): string {
  const rows = describeSettings().map(({ name, default: standard, accepts, hasFile, description }) =>
    `| \`${name}\`${hasFile ? ` or \`${name}_FILE\`` : ''} | ${standard === null ? '' : `\`${standard}\``} | ${cell(accepts)} | ${cell(description)} |`)
  return `# Configuration

All settings are environment variables. A bad one stops the start with one message that names every bad variable and shows no value.
A setting with \`_FILE\` may instead be the path of a file that holds the value.

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
const settings = new Set(describeSettings().flatMap(({ name, hasFile }) => hasFile ? [name, `${name}_FILE`] : [name]))
const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync(new URL('docs/', root), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.md')).map((file) => `docs/${file}`)]
for (const path of pages) {
  const text = page(path)
  if (text === '') faults.push(`${path} is empty or missing`)
  for (const [, command = ''] of text.matchAll(/\bnpm run ([a-z:]+)/g)) {
    if (!(command in scripts)) faults.push(`${path} names \`npm run ${command}\`, which package.json does not have`)
  }
  for (const [name] of text.matchAll(/\b(?:RABBITMQ|HTTP|PUBLISH|READ|DRAIN|LOG|STREAM)_[A-Z_]*[A-Z]\b/g)) {
    if (!settings.has(name) && !name.startsWith('STREAM_URL')) faults.push(`${path} names the setting ${name}, which src/config.ts does not have`)
  }
  for (const [, target = ''] of text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)) {
    const resolved = new URL(target, new URL(path, root))
    try {
      readFileSync(resolved)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EISDIR')) faults.push(`${path} links to ${target}, which is not there`)
    }
  }
}

/** operationIds that the documentation names have to exist. */
const operations = new Set([...page('openapi/openapi.json').matchAll(/"operationId": "([A-Za-z]+)"/g)].map(([, id]) => id))
if (operations.size === 0) faults.push('openapi/openapi.json has no operations')

for (const fault of faults) console.error(fault)
console.log(`${pages.length} pages, ${settings.size} settings, ${PROBLEM_CODES.length} error codes, ${operations.size} operations: ${faults.length} faults`)
if (faults.length > 0) process.exitCode = 1
