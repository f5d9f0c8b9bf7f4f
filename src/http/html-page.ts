import { createHash } from 'node:crypto'

const STYLE = `
:root { color-scheme: light dark; --line: #8884 }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem }
body { overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.2 }
code { font: .9em ui-monospace, monospace; background: var(--line); border-radius: 4px; padding: .1em .3em }
li { margin: .4rem 0 }
a { color: light-dark(#0550ae, #79b8ff) }
`.replaceAll('\n', '')

/** The policy of these pages: their own style and nothing else. Links work, so they are not in a sandbox. */
const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; ` +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** Headers of a page for people. */
export const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': PAGE_POLICY,
  'referrer-policy': 'no-referrer'
} as const

/**
 * A small page for people, without scripts, in the colours of the reader's system.
 *
 * @param body HTML; texts in it have passed `escapeHtml`
 */
export function htmlPage (title: string, body: string): string {
  return '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n' +
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n' +
    `<title>${escapeHtml(title)}</title>\n<style>${STYLE}</style>\n</head>\n<body>\n${body}\n</body>\n</html>\n`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;'
}

/** A text as it is written in HTML. */
export function escapeHtml (text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
