import { describeSettings } from '../../src/config.ts'
import { currentPages, filesBelow, readFile, type Page } from './page.ts'

const settings: readonly string[] = describeSettings().flatMap(
  ({ name, hasFile }) => hasFile ? [name, `${name}_FILE`] : [name]
)

// Node.js itself reads them.
const OF_NODE = ['NODE_EXTRA_CA_CERTS']

// OpenTelemetry reads its own.
const OF_OPENTELEMETRY = 'OTEL_'

/** Every environment variable that a page names is a setting, or is read by scripts, benchmarks, tests or examples. */
export function unknownVariables (pages: readonly Page[]): string[] {
  const known = new Set([...settings, ...toolVariables(), ...OF_NODE])
  return currentPages(pages).flatMap(({ path, text }) => [...text.matchAll(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g)]
    .map(([name]) => name)
    .filter((name) => !known.has(name) && !name.startsWith(OF_OPENTELEMETRY))
    .map((name) => `${path} names the variable ${name}, which is not a setting and which nothing reads`))
}

/** Every setting is on a page. */
export function unnamedSettings (pages: readonly Page[]): string[] {
  return settings
    .filter((name) => !pages.some(({ text }) => new RegExp(`\\b${name}\\b`).test(text)))
    .map((name) => `no page names the setting ${name}`)
}

/** The environment variables that are read beside the settings of the gateway. */
function toolVariables (): string[] {
  // In TypeScript, Python, Go and Java.
  const read = /(?:env\.|env\['|fromEnvironment\('|environ\.get\("|environ\["|etenv\("|getOrDefault\(")([A-Z_]+)/g
  return ['scripts', 'bench', 'test', 'examples'].flatMap((folder) => filesBelow(folder)
    .filter((file) => /\.(ts|mjs|py|go|java)$/.test(file))
    .flatMap((file) => [...readFile(`${folder}/${file}`).matchAll(read)].map(([, name = '']) => name)))
}
