import t from 'tap'
import { MessageOutcomes } from '../../../src/streams/partitions/message-outcomes.ts'
import { StreamsError } from '../../../src/streams/index.ts'

const lost = new StreamsError('confirm_timeout', 'no confirm came', { sideEffects: 'possible' })
const refused = new StreamsError('access_refused', 'not allowed')

t.test('a message to two partitions counts as unknown when one confirm is lost', async (t) => {
  const outcomes = new MessageOutcomes()
  for (const index of [0, 1, 2, 3, 4]) outcomes.copied(index)
  for (const index of [0, 1, 2]) outcomes.confirm(index)
  outcomes.confirm(0)
  outcomes.fail(1, 'unknown', lost)
  outcomes.fail(2, 'failed', refused)
  outcomes.fail(3, 'failed', refused)
  outcomes.fail(3, 'failed', refused)
  outcomes.fail(4, 'failed', refused)
  outcomes.fail(4, 'unknown', lost)
  const { confirmed, duplicates, failures } = outcomes.result()
  t.same([confirmed, duplicates], [1, 0])
  t.same(failures.map(({ index, status, error }) => [index, status, error.code, error.sideEffects]), [
    [1, 'unknown', 'confirm_timeout', 'possible'],
    [2, 'unknown', 'access_refused', 'possible'],
    [3, 'failed', 'access_refused', 'none'],
    [4, 'unknown', 'confirm_timeout', 'possible']
  ])
})

t.test('a message that one of its partitions had already is confirmed, one that all had is a duplicate', async (t) => {
  const outcomes = new MessageOutcomes()
  for (const index of [7, 8]) outcomes.copied(index)
  outcomes.confirm(7)
  for (const index of [7, 8, 8]) outcomes.duplicate(index)
  outcomes.confirm(9)
  t.same(outcomes.result(), { confirmed: 2, duplicates: 1, failures: [] })
})

t.test('failures come in the order of the request', async (t) => {
  const outcomes = new MessageOutcomes()
  outcomes.fail(5, 'failed', refused)
  outcomes.unrouted(2, refused)
  t.same(outcomes.result().failures.map(({ index }) => index), [2, 5])
})
