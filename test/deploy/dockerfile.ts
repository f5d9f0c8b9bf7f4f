import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import { projectDirectory } from '../../scripts/setup/paths.mjs'

const RUN_TIMEOUT_MS = 300_000

interface Instruction { readonly name: string, readonly text: string }

/** What the last stage of the Dockerfile says about a container. */
export interface Image {
  readonly base: string
  readonly workdir: string
  readonly env: Record<string, string>
  readonly labels: Record<string, string>
  readonly user: string
  readonly port: string
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly healthcheck: readonly string[]
}

const instructions: readonly Instruction[] = readFileSync('Dockerfile', 'utf8')
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => ({ name: line.split(' ', 1)[0] ?? '', text: line.slice(line.indexOf(' ') + 1) }))

const lastStage = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'))

/** The image that the Dockerfile makes. */
export function describeImage (): Image {
  const one = (wanted: string): string => {
    const found = lastStage.filter(({ name }) => name === wanted)
    if (found.length !== 1) throw new Error(`the last stage needs one ${wanted}`)
    return found[0]?.text ?? ''
  }
  return {
    base: one('FROM'),
    workdir: one('WORKDIR'),
    env: pairs(one('ENV')),
    labels: pairs(one('LABEL')),
    user: one('USER'),
    port: one('EXPOSE'),
    entrypoint: JSON.parse(one('ENTRYPOINT')),
    cmd: JSON.parse(one('CMD')),
    healthcheck: JSON.parse(one('HEALTHCHECK').replace(/^.* CMD /, ''))
  }
}

function pairs (text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/(\S+?)=(?:"([^"]*)"|(\S*))/g)]
    .map(([, name = '', quoted, bare = '']) => [name, quoted ?? bare]))
}

/**
 * Does what the Dockerfile says, on this machine and with its Node.js: each stage is a folder. The packages for
 * development are those of the project.
 *
 * @param folder an empty one
 * @returns the root of the last stage
 */
export function buildImage (folder: string): string {
  const stages = new Map<string, string>()
  let [root, workdir] = ['', '/']
  for (const { name, text } of instructions) {
    if (name === 'FROM') {
      const [base = '', , stage = ''] = text.split(' ')
      root = join(folder, `stage-${stages.size}`)
      mkdirSync(root)
      const from = stages.get(base)
      if (from !== undefined) cpSync(from, root, { recursive: true, verbatimSymlinks: true })
      else workdir = '/'
      stages.set(stage, root)
    } else if (name === 'WORKDIR') {
      workdir = text
      mkdirSync(join(root, workdir), { recursive: true })
    } else if (name === 'COPY') {
      copy(text, join(root, workdir), stages)
    } else if (name === 'RUN') {
      execute(text, join(root, workdir))
    }
  }
  return root
}

function copy (text: string, workdir: string, stages: ReadonlyMap<string, string>): void {
  const words = text.split(' ')
  const [, stage] = /^--from=(\S+)$/.exec(words[0] ?? '') ?? []
  const source = stage === undefined ? projectDirectory : stages.get(stage)
  if (source === undefined) throw new Error(`there is no stage ${stage}`)
  const target = join(workdir, words.at(-1) ?? '')
  for (const path of words.slice(stage === undefined ? 0 : 1, -1)) {
    if (stage === undefined && !isSentToBuilder(path)) throw new Error(`.dockerignore leaves ${path} out`)
    // A folder is copied as its content, so its name has to be in the target.
    const isFolder = !target.endsWith('/')
    cpSync(join(source, path), isFolder ? target : join(target, basename(path)), { recursive: true })
  }
}

function isSentToBuilder (path: string): boolean {
  return readFileSync('.dockerignore', 'utf8').split('\n').includes(`!${path}`)
}

function execute (command: string, cwd: string): void {
  if (command === 'npm ci') return symlinkSync(join(projectDirectory, 'node_modules'), join(cwd, 'node_modules'))
  const options = ' --prefer-offline --no-audit --no-fund'
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command.replace(/^npm ci .*/, `$&${options}`)], {
    cwd, encoding: 'utf8', timeout: RUN_TIMEOUT_MS
  })
  if (status !== 0) throw new Error(`RUN ${command}: ${stdout}${stderr}`)
}
