import fc from 'fast-check'

/** What a name in a path or a query string may be, beside a good one. */
export const hostileNames = fc.constantFrom(
  '..', '.', '%2e%2e', '%2E', '../..', '%00', 'a%00b', '%2F', '%2f..%2f', 'a/b', '%', '%zz', '%c3%28', '%c0%af',
  '%ed%a0%80', '%f4%90%80%80', '%EF%BF%BF', '%0d%0aX-Injected:%201', '%0a', '%7f', '%C2%85', 'amq.stream', 'a%20b',
  '%20', '+', '%25', '%252F', ';x=1', '__proto__', 'constructor', '*', '~', encodeURIComponent('🐇'.repeat(50)),
  encodeURIComponent('🐇'.repeat(51)), encodeURIComponent('é'.repeat(127)), 'x'.repeat(200), 'x'.repeat(201),
  'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(3000), encodeURIComponent('\'"<script>alert(1)</script>')
)

/** What the text of a parameter may be. */
export const hostileTexts = fc.oneof(
  fc.constantFrom(
    '', ' ', '0', '-1', '1e3', '00', '0x10', '9007199254740991', '9007199254740992', '9007199254740993',
    '18446744073709551615', '1.5', 'NaN', 'null', 'true', 'first', 'last', 'next', '2026-01-31T12:00:00.000Z',
    '2026-02-30T00:00:00Z', '9999-12-31T23:59:59.999Z', '1969-12-31T23:59:59Z', '\u0000', '__proto__',
    'x'.repeat(5000), '\ud800', '🐇', '\r\nX-Injected: 1'
  ),
  fc.string({ unit: 'binary', maxLength: 30 })
)

/** What a value in a JSON body may be. */
export const hostileJson = fc.oneof(
  fc.constantFrom<unknown>(
    null, true, '', 'x', 0, -1, 1.5, 1e308, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER + 1, [], {}, [[]], [null],
    { $type: 'ulong', value: '18446744073709551616' },
    { $type: 'map', value: [[1, 2], [1, 3]] },
    { $type: 'nothing' },
    { constructor: { prototype: 1 } }
  ),
  hostileTexts,
  fc.jsonValue({ maxDepth: 3 })
)

/** What a whole body may be. */
export const hostileBodies = fc.oneof(
  fc.constantFrom(
    '', ' ', 'null', '[]', '{}', '{', '"', '\n', '\n\n', 'a\nb',
    '{"messages":[]}',
    '{"messages":[{}]}',
    '{"messages":[null]}',
    '{"messages":{"0":{"body":1}}}',
    '{"messages":[{"body":1}],"messages":[]}',
    '{"__proto__":{"messages":[{"body":1}]}}',
    '{"messages":[{"body":{"__proto__":1}}]}',
    '{"messages":[{"body":{"constructor":{"prototype":{"x":1}}}}]}',
    '{"messages":[{"body":9007199254740993}]}',
    '{"messages":[{"body":1e400}]}',
    '\ufeff{"messages":[{"body":1}]}',
    `{"messages":[{"body":${'['.repeat(5000)}${']'.repeat(5000)}}]}`,
    '{"offset":0.0}',
    '{"offset":-0}',
    '{"offset":1e999}',
    '{"to":{"offset":9007199254740993}}',
    '{"body":1}\n{"body":2}',
    '{"body":1}\n{"bodi":2}\n'
  ).map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
)

/** Headers beside those of an operation. */
export const hostileHeaders = fc.constantFrom<Record<string, string>>(
  {},
  { accept: 'text/html' },
  { accept: 'application/x-ndjson' },
  { accept: 'application/json;q=0, */*;q=0.1' },
  { accept: ';;;,,' },
  { 'content-type': 'application/xml' },
  { 'content-type': 'application/json; charset=utf-16' },
  { 'content-type': 'a' },
  { 'content-type': '' },
  { 'content-encoding': 'gzip' },
  { 'content-encoding': 'identity' },
  { 'x-request-id': 'x'.repeat(500) },
  { 'x-request-id': 'ok-1' },
  { 'x-request-id': '<script>' },
  { 'publishing-id': '1e3' },
  { 'publishing-id': '7' },
  { 'app-property-': 'x' },
  { 'app-property-a': 'é' },
  { 'app-property-__proto__': '1' },
  { authorization: 'Basic Zm9v' },
  { 'if-none-match': '*' },
  { range: 'bytes=0-1' },
  { 'x-http-method-override': 'DELETE' },
  { cookie: 'x'.repeat(4000) },
  { big: 'x'.repeat(20_000) }
)
