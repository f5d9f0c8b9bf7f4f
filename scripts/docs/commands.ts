import { currentPages, readFile, type Page } from './page.ts'

const commands: readonly string[] = Object.keys(JSON.parse(readFile('package.json')).scripts)

/** `npm run NAME`, `npm test`, `npm start`: every one that a page names is in package.json. */
export function unknownCommands (pages: readonly Page[]): string[] {
  return currentPages(pages).flatMap(({ path, text }) => namedIn(text)
    .filter((name) => !commands.includes(name))
    .map((name) => `${path} names the command \`npm run ${name}\`, which package.json does not have`))
}

// `npm pack` runs it.
const OF_NPM = 'prepack'

/** Every command of package.json is on a page, or is a step of .ci/run. */
export function unnamedCommands (pages: readonly Page[]): string[] {
  const named = new Set([...pages.map(({ text }) => text), readFile('.ci/run')].flatMap(namedIn))
  return commands
    .filter((name) => !named.has(name) && name !== OF_NPM)
    .map((name) => `no page names the command \`npm run ${name}\``)
}

function namedIn (text: string): string[] {
  return [...text.matchAll(/\bnpm (?:(test|start)\b|run (?:-s |--silent )?([a-z]+(?:[:-][a-z]+)*))/g)]
    .map(([, short, name = '']) => short ?? name)
}
