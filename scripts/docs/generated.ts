import { PROBLEM_CODES, PROBLEMS } from '../../src/api/problems.ts'
import { describeSettings } from '../../src/config.ts'
import { OPERATIONS, PROBLEM_MEMBERS } from './openapi-document.ts'
import type { Part } from './parts.ts'

/** Every part of a page that is made from the code. */
export function generatedParts (): Part[] {
  return [
    { page: 'docs/api.md', name: 'operations', text: operations() },
    { page: 'docs/configuration.md', name: 'settings', text: settings() },
    { page: 'docs/errors.md', name: 'problem members', text: problemMembers() },
    { page: 'docs/errors.md', name: 'error codes', text: errorCodes() }
  ]
}

function operations (): string {
  return table(
    ['operationId', 'request', 'what it does'],
    OPERATIONS.map(({ id, method, path, summary }) => [`\`${id}\``, `\`${method} ${path}\``, summary])
  )
}

function settings (): string {
  return table(
    ['variable', 'default', 'accepts', 'meaning'],
    describeSettings().map(({ name, default: standard, accepts, hasFile, description }) => [
      `\`${name}\`${hasFile ? ` or \`${name}_FILE\`` : ''}`,
      standard === null ? '' : `\`${standard}\``,
      accepts,
      description
    ])
  )
}

function problemMembers (): string {
  return table(
    ['member', 'meaning'],
    PROBLEM_MEMBERS.map(({ name, description }) => [`\`${name}\``, description])
  )
}

function errorCodes (): string {
  return PROBLEM_CODES.map((code) => {
    const { status, title, when, remedy } = PROBLEMS[code]
    return `## ${code}\n\n**${status} ${title}.** ${when}\n\n${remedy}`
  }).join('\n\n')
}

/** A table in Markdown. */
function table (head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  return [
    `| ${head.join(' | ')} |`,
    `|${'---|'.repeat(head.length)}`,
    ...rows.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
  ].join('\n')
}
