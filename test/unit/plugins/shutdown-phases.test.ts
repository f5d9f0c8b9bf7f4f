import { pino } from 'pino'
import t from 'tap'
import { ShutdownPhases, type Phase } from '../../../src/plugins/shutdown-phases.ts'
import { exactly } from '../../support/exactly.ts'

function phasesOf (timeoutMs = 10_000) {
  const late: string[] = []
  const log: unknown[] = []
  const phases = new ShutdownPhases(
    (['workers', 'broker'] as const).map<Phase>((name) => ({
      name,
      timeoutMs: () => timeoutMs,
      whenLate: () => { late.push(name) }
    })),
    pino({}, { write: (line: string) => { log.push(JSON.parse(line)) } })
  )
  return { phases, late, log }
}

t.test('the steps of a phase run side by side, and the phase ends with the last of them', async (t) => {
  const { phases, late } = phasesOf()
  const done: string[] = []
  let endFirst = (): void => {}
  phases.add('workers', async () => {
    await new Promise<void>((resolve) => { endFirst = resolve })
    done.push('first')
  })
  phases.add('workers', () => {
    done.push('second')
    endFirst()
  })
  await phases.run('workers')
  t.same(done, ['second', 'first'])
  await phases.run('broker')
  t.same(late, [], 'a phase without steps ends at once')
})

t.test('a phase that takes too long is left behind', async (t) => {
  const { phases, late } = phasesOf(20)
  phases.add('workers', async () => { await new Promise(() => {}) })
  await phases.run('workers')
  t.same(late, ['workers'])
})

t.test('a step that fails does not keep the others from ending', async (t) => {
  const { phases, log } = phasesOf()
  let isDone = false
  phases.add('broker', () => { throw new Error('broken') })
  phases.add('broker', () => { isDone = true })
  await phases.run('broker')
  t.ok(isDone)
  t.match(log, exactly({ level: 50, phase: 'broker', msg: 'a step of the shutdown failed' }))
})
