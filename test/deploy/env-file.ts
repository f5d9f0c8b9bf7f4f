import { readFileSync } from 'node:fs'

/** The names of variables in comments of such a file: `#NAME=VALUE`, to be used by taking the # away. */
export function namesInComments (path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(/^#([A-Z][A-Z_]*)=\S+$/gm)].map(([, name = '']) => name)
}

/**
 * The variables of a file with NAME=VALUE in each line, as systemd and kustomize read it. A line that begins with #
 * is a comment.
 */
export function readEnvFile (path: string): Record<string, string> {
  const lines = readFileSync(path, 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(lines.map((line) => {
    const [, name, value] = /^([A-Z][A-Z_]*)=(\S+)$/.exec(line) ?? []
    if (name === undefined || value === undefined) throw new Error(`${path} has a line that is not one: ${line}`)
    return [name, value]
  }))
}
