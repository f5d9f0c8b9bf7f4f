import type { Page } from './page.ts'

/**
 * A part of a page that is generated from the code. Everything around it is written by hand:
 *
 *     <!-- generated: NAME -->
 *     ...
 *     <!-- end -->
 */
export interface Part {
  readonly page: string
  readonly name: string
  readonly text: string
}

/** The pages with their parts as the code has them. A part without its markers is left out: `partFaults` names it. */
export function withParts (pages: readonly Page[], parts: readonly Part[]): Page[] {
  return pages.map(({ path, text }) => ({
    path,
    text: parts.filter(({ page }) => page === path).reduce((whole, part) => replacePart(whole, part) ?? whole, text)
  }))
}

/** The parts that are not current or have no place, and the markers of parts that there are not. */
export function partFaults (pages: readonly Page[], parts: readonly Part[]): string[] {
  return [
    ...parts.flatMap((part) => {
      const page = pages.find(({ path }) => path === part.page)
      if (page === undefined) return [`${part.page} is missing; it has the generated part "${part.name}"`]
      const current = replacePart(page.text, part)
      if (current === undefined) return [`${part.page} needs ${begin(part.name)} once, and ${END} after it`]
      if (current === page.text) return []
      return [`${part.page}: "${part.name}" differs from the code: run \`npm run docs:check -- --write\``]
    }),
    ...pages.flatMap(({ path, text }) => [...text.matchAll(/<!-- generated: (.*?) -->/g)]
      .filter(([, name]) => !parts.some((part) => part.page === path && part.name === name))
      .map(([, name]) => `${path} has a place for "${name}", which is not generated`))
  ]
}

const END = '<!-- end -->'

function begin (name: string): string {
  return `<!-- generated: ${name} -->`
}

/** @returns undefined unless the text has the part's markers once */
function replacePart (text: string, { name, text: content }: Part): string | undefined {
  const [before, behind, ...more] = text.split(begin(name))
  if (before === undefined || behind === undefined || more.length > 0) return undefined
  const end = behind.indexOf(END)
  // The end of the next part is not the end of this one.
  if (end === -1 || behind.slice(0, end).includes('<!-- generated: ')) return undefined
  return `${before}${begin(name)}\n\n${content.trim()}\n\n${behind.slice(end)}`
}
