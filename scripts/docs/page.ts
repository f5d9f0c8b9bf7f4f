import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectDirectory } from '../setup/paths.mjs'

/** A page of the documentation. */
export interface Page {
  /** From the project's folder, e.g. `docs/errors.md`. */
  readonly path: string
  readonly text: string
}

/** What is wrong with the pages, one line a fault. */
export type Check = (pages: readonly Page[]) => string[]

/** Every page in Markdown. */
export function readPages (): Page[] {
  const paths = [
    ...readdirSync(projectDirectory),
    ...['docs', 'examples'].flatMap((folder) => filesBelow(folder).map((file) => join(folder, file)))
  ]
  return paths.filter((path) => path.endsWith('.md')).sort().map((path) => ({ path, text: readFile(path) }))
}

/** The pages that speak of the present. The changelog may name what was removed since. */
export function currentPages (pages: readonly Page[]): readonly Page[] {
  return pages.filter(({ path }) => path !== 'CHANGELOG.md')
}

/** A file of the project. */
export function readFile (path: string): string {
  return readFileSync(join(projectDirectory, path), 'utf8')
}

/** The files below a folder of the project, from that folder. */
export function filesBelow (folder: string): string[] {
  return readdirSync(join(projectDirectory, folder), { recursive: true, encoding: 'utf8' })
}

/** The texts in backticks, within a line. */
export function codeSpansOf ({ text }: Page): string[] {
  return [...withoutCodeBlocks(text).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
}

/** The texts between fences. */
export function codeBlocksOf ({ text }: Page): Array<{ language: string, code: string }> {
  return [...text.matchAll(/^ *```(\w*)\n(.*?)^ *```$/gms)].map(([, language = '', code = '']) => ({ language, code }))
}

/** A page without its code. */
export function proseOf ({ text }: Page): string {
  return withoutCodeBlocks(text).replace(/`[^`\n]*`/g, '')
}

export function withoutCodeBlocks (text: string): string {
  return text.replace(/^ *```.*?^ *```$/gms, '')
}
