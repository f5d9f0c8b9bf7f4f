import { fastify } from 'fastify'
import fp from 'fastify-plugin'
import { rename, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import t, { type Test } from 'tap'
import reloads from '../../../src/plugins/reloads.ts'
import { until } from '../../support/until.ts'

const MESSAGE = 'a file was read again'

interface Watched {
  loaded: string[]
  log: Array<Record<string, unknown>>
  isOk: () => Promise<number | undefined>
  reload: () => Promise<void>
}

/** An app that has the file read again each second. A content that begins with "bad" is refused. */
async function watch (t: Test, path: string, content: string): Promise<Watched> {
  const log: Watched['log'] = []
  const loaded: string[] = []
  const app = fastify({ loggerInstance: pino({}, { write: (line: string) => { log.push(JSON.parse(line)) } }) })
  t.teardown(async () => { await app.close() })
  await app.register(fp(async (app) => { app.decorate('metrics', new Registry()) }, { name: 'metrics' }))
  await app.register(reloads)
  app.reloadFile({
    setting: 'API_KEYS_PATH',
    files: [{ path, content }],
    everySeconds: 1,
    load ([content = '']) {
      if (content.startsWith('bad')) throw new Error('is bad')
      loaded.push(content)
      return { keys: content.length }
    }
  })
  await app.ready()
  return {
    loaded,
    log,
    async isOk () {
      const metric = await app.metrics.getSingleMetric('rabbitmq_stream_gateway_reload_ok')?.get()
      return metric?.values.find(({ labels }) => labels.setting === 'API_KEYS_PATH')?.value
    },
    reload: async () => { await app.reloadFiles() }
  }
}

const LEVELS = { info: 30, error: 50 }

const lines = ({ log }: Watched, level: keyof typeof LEVELS) =>
  log.filter((line) => line.level === LEVELS[level] && String(line.msg).startsWith(MESSAGE))

t.test('a changed file is loaded, once for each change', async (t) => {
  const path = join(t.testdir({ keys: 'one' }), 'keys')
  const watched = await watch(t, path, 'one')
  t.equal(await watched.isOk(), 1)
  await writeFile(path, 'two')
  await until('a reload', () => watched.loaded.length > 0)
  await utimes(path, new Date(), new Date(1))
  await delay(1100)
  await writeFile(path, 'three')
  await until('another reload', () => watched.loaded.length > 1)
  t.same(watched.loaded, ['two', 'three'])
  t.same(lines(watched, 'info').map(({ setting, keys }) => ({ setting, keys })), [
    { setting: 'API_KEYS_PATH', keys: 3 }, { setting: 'API_KEYS_PATH', keys: 5 }
  ])
  t.equal(await watched.isOk(), 1)
})

t.test('a change by a symbolic link above the file is noticed, as Kubernetes makes it', async (t) => {
  const mount = t.testdir({ '..1': { keys: 'one' }, '..2': { keys: 'two' } })
  await symlink('..1', join(mount, '..data'))
  await symlink(join('..data', 'keys'), join(mount, 'keys'))
  const watched = await watch(t, join(mount, 'keys'), 'one')
  await symlink('..2', join(mount, '..data_tmp'))
  await rename(join(mount, '..data_tmp'), join(mount, '..data'))
  await until('a reload', () => watched.loaded.length > 0)
  t.same(watched.loaded, ['two'])
})

t.test('a bad content changes nothing; the log says so once for each, and the metric until it is mended', async (t) => {
  const path = join(t.testdir({ keys: 'one' }), 'keys')
  const watched = await watch(t, path, 'one')
  await writeFile(path, 'bad')
  await until('an error', () => lines(watched, 'error').length > 0)
  t.equal(await watched.isOk(), 0)
  await delay(2100)
  t.same(lines(watched, 'error').map(({ setting, paths, reason }) => ({ setting, paths, reason })), [
    { setting: 'API_KEYS_PATH', paths: [path], reason: 'is bad' }
  ])
  await writeFile(path, 'bad too')
  await until('another error', () => lines(watched, 'error').length > 1)
  t.same(watched.loaded, [])
  await writeFile(path, 'one')
  await until('a reload', () => watched.loaded.length > 0)
  t.same(watched.loaded, ['one'])
  t.equal(await watched.isOk(), 1)
})

t.test('a file that is gone changes nothing, and counts again when it is back', async (t) => {
  const path = join(t.testdir({ keys: 'one' }), 'keys')
  const watched = await watch(t, path, 'one')
  await rename(path, `${path}.away`)
  await until('an error', () => lines(watched, 'error').length > 0)
  await delay(2100)
  t.same(lines(watched, 'error').map(({ reason }) => reason), ['cannot be read: ENOENT'])
  t.equal(await watched.isOk(), 0)
  await rename(`${path}.away`, path)
  await until('a reload', () => watched.loaded.length > 0)
  t.equal(await watched.isOk(), 1)
})

t.test('whoever asks has the file loaded at once, also when it is as it was', async (t) => {
  const path = join(t.testdir({ keys: 'one' }), 'keys')
  const watched = await watch(t, path, 'one')
  await watched.reload()
  await writeFile(path, 'two')
  await watched.reload()
  t.same(watched.loaded, ['one', 'two'])
  await writeFile(path, 'bad')
  await Promise.all([watched.reload(), watched.reload()])
  t.equal(lines(watched, 'error').length, 2)
})
