import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { FileWatch } from '../../../src/plugins/file-watch.ts'
import { BadValue, ConfigError } from '../../../src/settings/config-error.ts'
import { exactly } from '../../support/exactly.ts'
import { until } from '../../support/until.ts'

function watchOf (t: Test, everyMs = 3_600_000) {
  const path = join(t.testdir({ file: 'one' }), 'file')
  const taken: string[] = []
  const log: Array<Record<string, unknown>> = []
  const watch = new FileWatch({
    what: 'the words',
    paths: { WORDS_PATH: path },
    everyMs,
    take ([text = '']) {
      if (text.startsWith('bad')) throw new BadValue('WORDS_PATH has a bad word')
      if (text.startsWith('broken')) throw new SyntaxError(`not expected: ${text}`)
      taken.push(text)
      return { words: 1 }
    }
  }, pino({}, { write: (line: string) => { log.push(JSON.parse(line)) } }))
  t.teardown(() => { watch.close() })
  return { path, taken, log, watch, write: (text: string) => { writeFileSync(path, text) } }
}

t.test('contents are taken when they have changed, and only then', async (t) => {
  const { watch, taken, log, write } = watchOf(t)
  await watch.readFirst()
  await watch.readAgain()
  t.same(taken, ['one'])
  t.same(log, [], 'nothing is said of what has not changed')
  write('two')
  await watch.readAgain()
  t.same(taken, ['one', 'two'])
  t.match(log, exactly({ level: 30, words: 1, msg: 'the words were read again and are in use' }))
})

t.test('contents that cannot be used are one error line, until they are mended', async (t) => {
  const { watch, taken, log, write } = watchOf(t)
  await watch.readFirst()
  write('bad')
  await watch.readAgain()
  await watch.readAgain()
  t.notOk(watch.isGood)
  t.match(log, exactly({
    level: 50,
    msg: 'the words cannot be used, those read before stay in use: WORDS_PATH has a bad word'
  }))
  write('one')
  await watch.readAgain()
  t.ok(watch.isGood)
  t.same(taken, ['one', 'one'])
})

t.test('a file that cannot be read for a while is one error line, and is not taken again unchanged', async (t) => {
  const { watch, taken, log, path, write } = watchOf(t)
  await watch.readFirst()
  rmSync(path)
  await watch.readAgain()
  await watch.readAgain()
  t.notOk(watch.isGood)
  t.match(log, exactly({ level: 50, msg: /WORDS_PATH names a file that cannot be read \(ENOENT\)$/ }))
  write('one')
  await watch.readAgain()
  t.ok(watch.isGood)
  t.same(taken, ['one'])
})

t.test('files that cannot be used at the start are a bad configuration', async (t) => {
  const { watch, path, write } = watchOf(t)
  write('bad')
  await t.rejects(watch.readFirst(), new ConfigError('Bad configuration: WORDS_PATH has a bad word'))
  rmSync(path)
  await t.rejects(watch.readFirst(), { message: /WORDS_PATH names a file that cannot be read/ })
})

t.test('an error that was not expected shows nothing of the contents', async (t) => {
  const { watch, log, write } = watchOf(t)
  await watch.readFirst()
  write('broken s3cret')
  await watch.readAgain()
  t.match(log, exactly({ level: 50, msg: /unexpected SyntaxError$/ }))
  t.notMatch(JSON.stringify(log), 's3cret')
})

t.test('a reading that is asked for sees what was written before', async (t) => {
  const { watch, taken, write } = watchOf(t)
  await watch.readFirst()
  const readings = []
  for (const text of ['two', 'three', 'four']) {
    write(text)
    readings.push(watch.readAgain())
  }
  await Promise.all(readings)
  t.equal(taken.at(-1), 'four')
})

t.test('files are read again by themselves, until the watch is closed', async (t) => {
  const { watch, taken, write } = watchOf(t, 10)
  await watch.readFirst()
  watch.start()
  for (const text of ['two', 'three']) {
    write(text)
    await until(`${text} is taken`, () => taken.includes(text))
  }
  watch.close()
  write('four')
  await watch.readAgain()
  t.notOk(taken.includes('four'))
})
