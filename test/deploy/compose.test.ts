import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { describeSettings, loadConfig } from '../../src/config.ts'
import { isNode, member, type Node } from './yaml-node.ts'

const document: unknown = parse(readFileSync('deploy/compose.yaml', 'utf8'))
const gateway: Node = isNode(document) ? member(document, 'services.gateway') : {}

/** The variables of the gateway, as Compose fills them in. */
function composed (env: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(member(gateway, 'environment')).map(([name, value]) => [
    name,
    String(value).replace(/\$\{(\w+)(:?)-([^}]*)\}/g, (_, variable: string, colon: string, otherwise: string) => {
      const given = env[variable]
      return given === undefined || (colon === ':' && given === '') ? otherwise : given
    })
  ]))
}

function accessOf (variables: Record<string, string>): unknown {
  const settings = { HTTP_HOST: '0.0.0.0', ...variables }
  const { config, warnings } = loadConfig(settings, (path) => {
    if (path !== '/etc/gateway/keys.json') throw new Error(`there is no ${path}`)
    return '{"keys": []}'
  })
  t.same(warnings, [])
  return config.access.ways
}

t.test('compose asks for keys, and the command of the README lets everybody in', async (t) => {
  t.same(accessOf(composed({})), ['api-keys'])
  const [, assignments = ''] = /^\$ (.*?) docker compose -f deploy\/compose\.yaml up/m
    .exec(readFileSync('README.md', 'utf8')) ?? []
  const env = Object.fromEntries(assignments.split(' ').map((text) => text.split('=')))
  t.same(accessOf(composed(env)), [])
})

t.test('compose builds the image, leaves the command to it, and mounts the keys of the README', async (t) => {
  // Paths are relative to the file.
  t.equal(gateway['build'], '..')
  t.same(Object.keys(gateway).filter((key) => ['command', 'entrypoint', 'healthcheck', 'user'].includes(key)), [])
  t.same(gateway['volumes'], ['../keys:/etc/gateway:ro'])
  t.match(readFileSync('README.md', 'utf8'), '--file keys/keys.json')
})

t.test('compose gives the gateway no right to write, and the time to end by itself', async (t) => {
  t.match(gateway, { read_only: true, cap_drop: { 0: 'ALL' }, security_opt: { 0: 'no-new-privileges:true' } })
  const drain = Number(describeSettings().find(({ name }) => name === 'DRAIN_TIMEOUT_MS')?.default)
  const [, seconds] = /^(\d+)s$/.exec(String(gateway['stop_grace_period'])) ?? []
  // main.ts ends the process ten seconds after the drain timeout.
  t.ok(Number(seconds) * 1000 > drain + 10_000, `${seconds} seconds`)
})
