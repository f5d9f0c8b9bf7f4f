import { fastify } from 'fastify'
import t from 'tap'
import errors from '../../src/plugins/errors.ts'
import requests from '../../src/plugins/requests.ts'
import { RequestError } from '../../src/api/problems.ts'
import { sendPublished, withOutcome } from '../../src/routes/publish/answer.ts'
import { StreamsError, type PublishFailure, type PublishResult } from '../../src/streams/index.ts'
import { exactly } from '../support/exactly.ts'

// Outcomes that a healthy broker does not have, through the real error handling.
async function answerTo (result: PublishResult, error?: unknown): Promise<{ statusCode: number, headers: object, json: () => unknown }> {
  const app = fastify()
  await app.register(requests)
  await app.register(errors)
  app.get('/', async (_request, reply) => {
    if (error !== undefined) throw withOutcome(error, result)
    return await sendPublished(reply, result)
  })
  const answer = await app.inject('/')
  await app.close()
  return answer
}

const failure = (index: number, status: PublishFailure['status'], code: StreamsError['code']): PublishFailure => ({ index, status, error: new StreamsError(code, `${code} happened`) })

t.test('when some messages failed, the answer is 207 and names those', async (t) => {
  const answer = await answerTo({ confirmed: 2, duplicates: 1, failures: [failure(1, 'failed', 'message_too_large'), failure(4, 'unknown', 'confirm_timeout')] })
  t.equal(answer.statusCode, 207)
  t.same(answer.json(), {
    confirmed: 2,
    duplicates: 1,
    results: [{ index: 1, status: 'failed', code: 'payload_too_large' }, { index: 4, status: 'unknown', code: 'confirm_timeout' }]
  })
})

t.test('when all failed for one reason, the answer is that problem', async (t) => {
  const timeout = await answerTo({ confirmed: 0, duplicates: 0, failures: [failure(0, 'unknown', 'confirm_timeout'), failure(1, 'unknown', 'confirm_timeout')] })
  t.match(timeout.json(), { status: 504, code: 'confirm_timeout', detail: 'confirm_timeout happened', retryable: true, sideEffects: 'possible' })
  const lost = await answerTo({ confirmed: 0, duplicates: 0, failures: [failure(0, 'failed', 'broker_unavailable'), failure(1, 'unknown', 'broker_unavailable')] })
  t.match(lost.json(), { status: 503, code: 'broker_unavailable', sideEffects: 'possible' }, 'one that may be stored is enough')
  t.match(lost.headers, { 'retry-after': '1' })
  const refused = await answerTo({ confirmed: 0, duplicates: 0, failures: [failure(0, 'failed', 'stream_not_available')] })
  t.match(refused.json(), { status: 503, code: 'stream_not_available', sideEffects: 'none' })
})

t.test('when all failed for several reasons, the answer is 207', async (t) => {
  const answer = await answerTo({ confirmed: 0, duplicates: 0, failures: [failure(0, 'failed', 'overloaded'), failure(1, 'unknown', 'confirm_timeout')] })
  t.match(answer, { statusCode: 207 })
  t.match(answer.json(), { confirmed: 0, duplicates: 0, results: { length: 2 } })
})

t.test('an error that ends a streamed publish says what became of the messages before it', async (t) => {
  const nothing = { confirmed: 0, duplicates: 0, failures: [] }
  const overloaded = new StreamsError('overloaded', 'too much', { details: { limitBytes: 5 } })
  const before = await answerTo(nothing, overloaded)
  t.match(before.json(), { status: 503, code: 'overloaded', retryable: true, sideEffects: 'none', limitBytes: 5 })
  t.notHas(before.json(), { published: {} })
  t.match((await answerTo({ ...nothing, confirmed: 3 }, overloaded)).json(), { status: 503, code: 'overloaded', retryable: true, sideEffects: 'possible', limitBytes: 5, published: { confirmed: 3, duplicates: 0 } })
  t.match((await answerTo({ ...nothing, duplicates: 3 }, overloaded)).json(), { sideEffects: 'none', published: { duplicates: 3 } }, 'duplicates change nothing')
  const bad = new RequestError('validation_failed', 'bad', { errors: [{ pointer: '/2', message: 'is bad' }] })
  t.match((await answerTo({ ...nothing, failures: [failure(1, 'failed', 'overloaded')] }, bad)).json(), { status: 400, sideEffects: 'none', errors: exactly({ pointer: '/2' }), published: { results: exactly({ index: 1, status: 'failed', code: 'overloaded' }) } })
  t.match((await answerTo({ ...nothing, failures: [failure(1, 'unknown', 'confirm_timeout')] }, bad)).json(), { status: 400, sideEffects: 'possible' })
})

t.test('an error that nobody expected shows nothing of itself', async (t) => {
  const answer = await answerTo({ confirmed: 1, duplicates: 0, failures: [] }, new Error('s3cret'))
  t.match(answer.json(), { status: 500, code: 'internal_error', sideEffects: 'possible' })
  t.notMatch(JSON.stringify(answer.json()), 's3cret')
})
