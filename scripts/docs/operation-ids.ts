import { OPERATIONS } from './openapi-document.ts'
import { codeSpansOf, currentPages, type Page } from './page.ts'

const ids = OPERATIONS.map(({ id }) => id)
const verbs = [...new Set(ids.map((id) => /^[a-z]+/.exec(id)?.[0] ?? ''))]

/** Every operationId that a page for users names is one: a name that begins with the verb of an operation. */
export function unknownOperations (pages: readonly Page[]): string[] {
  const likeAnId = new RegExp(`^(?:${verbs.join('|')})[A-Z][A-Za-z]*$`)
  return currentPages(pages).filter(isForUsers).flatMap((page) => codeSpansOf(page)
    .filter((span) => likeAnId.test(span) && !ids.includes(span))
    .map((span) => `${page.path} names \`${span}\`, which is not an operation of openapi/openapi.json`))
}

/** Every operation is on a page. */
export function unnamedOperations (pages: readonly Page[]): string[] {
  if (ids.length === 0) return ['openapi/openapi.json has no operations']
  return ids
    .filter((id) => !pages.some((page) => codeSpansOf(page).includes(id)))
    .map((id) => `no page names the operation ${id}`)
}

/** Pages on the code name its functions too. */
function isForUsers ({ path }: Page): boolean {
  return path !== 'CONTRIBUTING.md' && path !== 'docs/architecture.md' && !path.startsWith('docs/decisions/')
}
