// DEL and the C1 controls, which some terminals obey; marks that turn the direction of text around; line ends that are
// not LF. JSON leaves all of them as they are.
const HIDDEN = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** A line of JSON in which no character is hidden. It stays the same JSON. */
export function escapeHidden (line: string): string {
  return line.replace(HIDDEN, escaped)
}

function escaped (character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** A line of JSON as a line for people: time, level, message, then what else it says. */
export function prettyLine (line: string): string {
  const { time, level, pid: _pid, hostname: _hostname, msg, err, ...rest } = parsed(line)
  const clock = new Date(Number(time)).toISOString().slice(11, 23)
  const fields = Object.entries(rest).map(([name, value]) => `${shown(name)}=${shown(value)}`)
  const head = [clock, String(level).toUpperCase().padEnd(5), text(msg), ...fields].join(' ')
  return `${head}${stackOf(err)}\n`
}

function parsed (line: string): Record<string, unknown> {
  const value: unknown = JSON.parse(line)
  return { ...Object(value) }
}

// Also C0 controls: in JSON they are escaped, here they would not be.
function text (value: unknown): string {
  return escapeHidden(JSON.stringify(String(value ?? '')).slice(1, -1).replaceAll('\\"', '"'))
}

const PLAIN = /^[\w.:/@%+,~!*'()-]+$/

function shown (value: unknown): string {
  return typeof value === 'string' && PLAIN.test(value) ? value : escapeHidden(JSON.stringify(value) ?? '')
}

function stackOf (error: unknown): string {
  if (typeof error !== 'object' || error === null) return ''
  const stack = 'stack' in error ? String(error.stack) : JSON.stringify(error)
  return stack.split('\n').map((line) => `\n    ${text(line)}`).join('')
}
