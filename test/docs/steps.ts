import type { Test } from 'tap'
import { run } from './support.ts'

export interface Block { language: string, text: string }
export interface Step { command: string, answer: Block | undefined }

/** The text below a heading, with the headings below it. */
export function sectionOf (markdown: string, title: string): string {
  const [, text] = markdown.split(`\n## ${title}\n`)
  if (text === undefined) throw new Error(`there is no section "${title}"`)
  return text.split(/^## /m, 1)[0] ?? ''
}

export function blocksOf (markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({ language, text }))
}

/** The commands of a text, each with the answer below it. What is marked as `bash` is shown and not run. */
export function stepsOf (markdown: string): Step[] {
  const steps: Step[] = []
  for (const block of blocksOf(markdown)) {
    const last = steps.at(-1)
    if (block.language === 'sh') steps.push({ command: block.text, answer: undefined })
    else if (block.language !== 'bash' && last !== undefined) last.answer = block
  }
  return steps
}

/** What differs from run to run is the same in all of them. */
function withoutTimes (text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, 'ID')
    .trim()
}

function comparable ({ language, text }: Block): unknown {
  return language === 'json' ? JSON.parse(withoutTimes(text)) : withoutTimes(text)
}

// A control character that no answer has.
const END_OF_STEP = '\u001e'

/**
 * Runs commands in one shell, and holds each answer against the one that is printed below it.
 *
 * @param before what the shell does first
 */
export async function answerAsPrinted (
  t: Test, steps: readonly Step[], env: Record<string, string>, before = ''
): Promise<void> {
  const script = before + steps.map(({ command }) => `${command}\nprintf '\\036'\n`).join('')
  const { code, stdout, stderr } = await run('bash', ['-u', '-c', script], env)
  t.equal(code, 0, stderr)
  const outputs = stdout.split(END_OF_STEP)
  t.equal(outputs.pop(), '')
  t.equal(outputs.length, steps.length)
  for (const [index, { command, answer }] of steps.entries()) {
    const { language, text } = answer ?? { language: 'text', text: '' }
    t.same(comparable({ language, text: outputs[index] ?? '' }), comparable({ language, text }), command.trim())
  }
}
