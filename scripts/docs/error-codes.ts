import { isProblemCode, PROBLEM_CODES, PROBLEMS } from '../../src/api/problems.ts'
import { codeBlocksOf, codeSpansOf, currentPages, type Page } from './page.ts'

// Names in snake_case that are not error codes: labels of metrics, settings of others, functions of the examples, and
// why a subscription pauses.
const OTHER_NAMES = [
  'client_certificate', 'client_gone', 'cluster_name', 'jwks_uri', 'message_failed', 'no_client_certificate',
  'plain_http', 'proxy_pass', 'proxy_read_timeout', 'reset_offset', 'retry_with_backoff', 'scope_aliases',
  'server_certificate', 'stream_sac_disconnected_timeout', 'too_many_failures'
]

// A page of metrics, which look like codes. A test holds it, which can ask for them.
const METRICS_PAGE = 'docs/monitoring.md'

/** Every error code that a page names is one. Names of metrics are held by tests, which can ask for them. */
export function unknownCodes (pages: readonly Page[]): string[] {
  return currentPages(pages).filter(({ path }) => path !== METRICS_PAGE).flatMap((page) => codeSpansOf(page)
    .filter((span) => /^[a-z]+(?:_[a-z]+)+$/.test(span) && !/^rabbitmq_|_(?:total|bytes|seconds)$/.test(span))
    .filter((span) => !isProblemCode(span) && !OTHER_NAMES.includes(span))
    .map((span) => `${page.path} names \`${span}\`, which is not an error code`))
}

/** A code beside a status is one that has it. */
export function wrongStatuses (pages: readonly Page[]): string[] {
  return currentPages(pages).flatMap(({ path, text }) => [...text.matchAll(/\b([45]\d\d) `([a-z]+(?:_[a-z]+)*)`/g)]
    .filter(([, status, code = '']) => !isProblemCode(code) || PROBLEMS[code].status !== Number(status))
    .map(([, status, code]) => `${path} says ${status} \`${code}\`, which no answer is`))
}

/** A problem that a page shows has the status and the title of its code. */
export function wrongProblems (pages: readonly Page[]): string[] {
  return currentPages(pages).flatMap((page) => codeBlocksOf(page)
    .filter(({ language, code }) => language === 'json' && code.includes('"/problems/'))
    .map(({ code }) => JSON.parse(code))
    .filter(({ type, code, status, title }) => !isProblemCode(code) || type !== `/problems/${code}` ||
      status !== PROBLEMS[code].status || title !== PROBLEMS[code].title)
    .map(({ code }) => `${page.path} shows a problem ${code} that no answer is`))
}

/** Every code is on a page. */
export function unnamedCodes (pages: readonly Page[]): string[] {
  return PROBLEM_CODES
    .filter((code) => !pages.some(({ text }) => new RegExp(`\\b${code}\\b`).test(text)))
    .map((code) => `no page names the error code ${code}`)
}
