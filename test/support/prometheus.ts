import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensurePrometheus } from '../../scripts/setup/prometheus.mjs'
import { tiedToParent } from '../../scripts/setup/parents.mjs'
import { list, record } from './schema-values.ts'
import { until } from './until.ts'

/** What promtool says. @param cwd where the files lie */
export async function promtool (args: string[], cwd: string): Promise<{ status: number | null, text: string }> {
  const { promtool } = await ensurePrometheus()
  const { status, stdout, stderr } = spawnSync(promtool, args, { cwd, encoding: 'utf8' })
  return { status, text: stdout + stderr }
}

/** A sample of a query. */
export interface Sample { labels: Record<string, unknown>, value: number }

/** The samples of a series in a range of time. */
export interface SampledSeries { labels: Record<string, unknown>, values: Array<readonly [at: number, value: number]> }

export interface Prometheus {
  url: string
  /**
   * @param at the moment, in seconds since 1970; now unless it is given
   * @throws what Prometheus says of a query that it does not understand
   */
  query: (expression: string, at?: number) => Promise<Sample[]>
  /** The same for a range of time, in seconds. */
  queryRange: (expression: string, range: { start: number, end: number, step: number }) => Promise<SampledSeries[]>
}

/** What is scraped with a key: URLs of gateways by the names that they have in `instance`, and the name of the node. */
export interface Scraped {
  readonly instances: Readonly<Record<string, string>>
  readonly node: string
  readonly key: string
}

/**
 * Starts a real Prometheus that scrapes a gateway, or several, every second. It ends with the test.
 *
 * @param scraped the URL of a gateway, or several
 * @param rules the text of a file of rules
 */
export async function startPrometheus (
  t: { teardown: (end: () => unknown) => unknown }, scraped: string | Scraped, rules: string
): Promise<Prometheus> {
  const { prometheus } = await ensurePrometheus()
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'))
  writeFileSync(join(folder, 'rules.yaml'), rules)
  writeFileSync(join(folder, 'prometheus.yaml'), JSON.stringify({
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: ['rules.yaml'],
    scrape_configs: [{ job_name: 'rabbitmq-stream-gateway', ...targetsOf(scraped) }]
  }))
  const url = `http://127.0.0.1:${await freePort()}`
  const [command = '', ...args] = tiedToParent([
    prometheus, '--config.file=prometheus.yaml', '--storage.tsdb.path=data', '--log.level=warn',
    `--web.listen-address=${new URL(url).host}`
  ])
  const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.on('data', (text) => { log += String(text) })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill()
    await ended
    rmSync(folder, { recursive: true, force: true })
  })
  const ask = async (path: string): Promise<unknown> => {
    if (child.exitCode !== null) throw new Error(`Prometheus has ended: ${log}`)
    const body = record(await (await fetch(`${url}/api/v1/${path}`)).json())
    if (body['status'] !== 'success') throw new Error(`${path}: ${String(body['error'])}`)
    return body['data']
  }
  await until('Prometheus is ready', async () => await ask('status/config').then(() => true, () => {
    if (child.exitCode !== null) throw new Error(`Prometheus has ended: ${log}`)
    return false
  }))
  return {
    url,
    async query (expression, at) {
      const moment = at === undefined ? '' : `&time=${at}`
      const data = record(await ask(`query?query=${encodeURIComponent(expression)}${moment}`))
      return list(data['result']).map(record).map(({ metric, value }) => {
        return { labels: record(metric), value: Number(list(value)[1]) }
      })
    },
    async queryRange (expression, { start, end, step }) {
      const range = `&start=${start}&end=${end}&step=${step}`
      const data = record(await ask(`query_range?query=${encodeURIComponent(expression)}${range}`))
      return list(data['result']).map(record).map(({ metric, values }) => {
        const numbers = list(values).map(list).map(([at, value]) => [Number(at), Number(value)] as const)
        return { labels: record(metric), values: numbers }
      })
    }
  }
}

function targetsOf (scraped: string | Scraped): object {
  if (typeof scraped === 'string') return { static_configs: [{ targets: [new URL(scraped).host] }] }
  return {
    authorization: { credentials: scraped.key },
    metric_relabel_configs: [
      { source_labels: ['node'], regex: '.+', target_label: 'node', replacement: scraped.node }
    ],
    static_configs: Object.entries(scraped.instances).map(([instance, url]) => {
      return { targets: [new URL(url).host], labels: { instance } }
    })
  }
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
  return address.port
}
