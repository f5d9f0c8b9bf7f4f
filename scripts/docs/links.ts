import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { projectDirectory } from '../setup/paths.mjs'
import { codeBlocksOf, codeSpansOf, currentPages, proseOf, readFile, withoutCodeBlocks, type Page } from './page.ts'

/** Every link within the documentation leads to a file, and to a heading in it where it has an anchor. */
export function brokenLinks (pages: readonly Page[]): string[] {
  return pages.flatMap((page) => [...proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^(https?:|\/)/.test(target) && !leadsSomewhere(page, target))
    .map((target) => `${page.path} links to ${target}, which is not there`))
}

/** Every file and folder of the project that a page names in code is there. */
export function missingPaths (pages: readonly Page[]): string[] {
  return currentPages(pages).flatMap((page) => [...codeSpansOf(page), ...codeBlocksOf(page).map(({ code }) => code)]
    .flatMap((code) => code.match(PATH) ?? [])
    .map(withoutPattern)
    .filter((path) => !existsSync(join(projectDirectory, path)))
    .map((path) => `${page.path} names ${path}, which is not there`))
}

/** docs/README.md lists every page beside it. */
export function unlistedPages (pages: readonly Page[]): string[] {
  const [index] = pages.filter(({ path }) => path === INDEX)
  if (index === undefined) return []
  const listed = [...proseOf(index).matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, file = '']) => `docs/${file}`)
  return pages
    .filter(({ path }) => /^docs\/[^/]+$/.test(path) && path !== INDEX && !listed.includes(path))
    .map(({ path }) => `${INDEX} does not list ${path}`)
}

const INDEX = 'docs/README.md'

// Not in the middle of a longer path or of a URL.
const PATH = /(?<![\w./-])(?:src|test|scripts|bench|lint|openapi|deploy|docs|examples)\/[^\s`'"()<>,;]*/g

/** The folder of a pattern such as `test/faults/*.test.ts`, and a path without the end of its sentence. */
function withoutPattern (path: string): string {
  return path.replace(/[^/]*[*{[?].*$/, '').replace(/[.:]+$/, '')
}

function leadsSomewhere ({ path, text }: Page, target: string): boolean {
  const [file = '', anchor] = target.split('#')
  const linked = file === '' ? path : join(dirname(path), file)
  if (!existsSync(join(projectDirectory, linked))) return false
  return anchor === undefined || anchorsOf(file === '' ? text : readFile(linked)).includes(anchor)
}

/** As GitHub makes them from headings. */
function anchorsOf (markdown: string): string[] {
  return [...withoutCodeBlocks(markdown).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')
  )
}
