import t from 'tap'
import { limitGoal, ratioGoal } from '../../bench/cases/case.ts'
import { belowGuard } from '../../bench/guard.ts'

const judge = (ratio: number, goals = [ratioGoal(1, ratio)]): string[] => {
  return belowGuard([[{ name: 'publish-lines' }, { ratio, goals }]])
}

t.test('half of a goal fails the build, a missed goal does not', async (t) => {
  t.same(judge(0.49), ['publish-lines: 0.49 x is below 0.5 x; the goal is >= 1 x'])
  t.same(judge(0.5), [])
  t.same(judge(3), [])
})

t.test('a ratio that could not be measured fails the build', async (t) => {
  t.equal(judge(NaN).length, 1)
})

t.test('a goal that is known to be missed has a guard of its own', async (t) => {
  t.same(judge(0.3, [ratioGoal(1, 0.3, 0.2)]), [])
  t.equal(judge(0.1, [ratioGoal(1, 0.1, 0.2)]).length, 1)
})

t.test('times are not guarded: they depend on the machine', async (t) => {
  t.same(judge(1, [limitGoal('p99', 1000, 1, 'ms')]), [])
})
