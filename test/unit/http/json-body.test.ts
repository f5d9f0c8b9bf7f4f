import t from 'tap'
import { exactly } from '../../support/exactly.ts'
import { parseJsonBody } from '../../../src/http/json-body.ts'

t.test('a small JSON body is a value, or the fault says where it is', async (t) => {
  t.same(parseJsonBody(Buffer.from('\ufeff{"offset": 1e2, "é": 1.0}\n')), { offset: 100, é: 1 })
  for (const [text, place] of [
    ['{"a":1,}', /line 1, column 8: a comma before }/],
    ['{\n"a": NaN}', /line 2, column 6: NaN/],
    ['{} x', /line 1, column 4/],
    ['', /line 1, column 1: it ends/]
  ] as const) {
    t.throws(() => parseJsonBody(Buffer.from(text)), { code: 'bad_request', message: place }, text)
  }
  t.throws(() => parseJsonBody(Buffer.from([0x22, 0xff, 0x22])), { code: 'bad_request', message: /column 2: .*UTF-8/ })
})

t.test('a body of very many values is refused before all of it is looked at', async (t) => {
  t.equal((parseJsonBody(Buffer.from(`[${'1,'.repeat(3998)}1]`)) as unknown[]).length, 3999)
  const errors = exactly({ pointer: '', message: 'must not have more than 4000 values' })
  for (const text of [`[${'1,'.repeat(3999)}1]`, `[${'{},'.repeat(300_000)}`]) {
    t.throws(() => parseJsonBody(Buffer.from(text)), { code: 'validation_failed', options: { errors } })
  }
})

t.test('a number is never rounded to a whole number', async (t) => {
  for (const number of ['9007199254740991.4', '0.99999999999999999999', '1e-400']) {
    t.throws(
      () => parseJsonBody(Buffer.from(`{"to":{"offset":${number}}}`)),
      { code: 'validation_failed', options: { errors: exactly({ pointer: '/to/offset', message: /rounded/ }) } },
      number
    )
  }
})
