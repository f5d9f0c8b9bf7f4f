import t from 'tap'
import { checkCases, type Case } from './support.ts'

const folders = ['src/', 'src/streams/protocol/', 'bench/', 'scripts/', 'lint/']

checkCases(t, [
  ...[...folders, 'test/unit/', 'console/'].flatMap((folder): Case[] => [
    {
      rule: 'max-lines',
      title: `a file of 251 lines in ${folder}`,
      file: `${folder}a.ts`,
      text: lines(251),
      report: 'File has too many lines (251).'
    },
    { rule: 'max-lines', title: `a file of 250 lines in ${folder}`, file: `${folder}a.ts`, text: lines(250) },
    {
      rule: '@stylistic/max-len',
      title: `a line of 121 characters in ${folder}`,
      file: `${folder}a.ts`,
      text: `work('${'a'.repeat(113)}')`,
      report: 'This line has a length of 121.'
    },
    {
      rule: '@stylistic/max-len',
      title: `a line of 120 characters in ${folder}`,
      file: `${folder}a.ts`,
      text: `work('${'a'.repeat(112)}')`
    }
  ]),
  ...folders.flatMap((folder): Case[] => [
    {
      rule: 'max-lines-per-function',
      title: `a function of 51 lines in ${folder}`,
      file: `${folder}a.ts`,
      text: `function a () {\n${lines(49)}}`,
      report: "Function 'a' has too many lines (51)."
    },
    {
      rule: 'max-lines-per-function',
      title: `a function of 50 lines in ${folder}`,
      file: `${folder}a.ts`,
      text: `function a () {\n${lines(48)}}`
    }
  ]),
  {
    rule: 'max-lines',
    title: 'a file of 251 lines that are comments and empty lines',
    file: 'src/a.ts',
    text: '// why\n\n'.repeat(125) + 'work()',
    report: 'File has too many lines (251).'
  },
  {
    rule: '@stylistic/max-len',
    title: 'a comment of more than 120 characters',
    file: 'src/a.ts',
    text: `// ${'a'.repeat(118)}`,
    report: 'This line has a length of 121.'
  },
  {
    rule: '@stylistic/max-len',
    title: 'a line of more than 120 characters in its own configuration',
    file: 'eslint.config.js',
    text: `work('${'a'.repeat(113)}')`,
    report: 'This line has a length of 121.'
  },
  {
    rule: 'max-lines-per-function',
    title: 'an arrow function of 51 lines',
    file: 'src/a.ts',
    text: `const a = () => {\n${lines(49)}}`,
    report: 'Arrow function has too many lines (51).'
  },
  {
    rule: 'max-lines-per-function',
    title: 'a method of 51 lines',
    file: 'src/a.ts',
    text: `class A {\na () {\n${lines(49)}}\n}`,
    report: "Method 'a' has too many lines (51)."
  },
  {
    rule: 'max-lines-per-function',
    title: 'a class of more than 50 lines, whose methods are short',
    file: 'src/a.ts',
    text: `class A {\n${'a () {}\n'.repeat(60)}}`
  },
  {
    rule: 'max-lines-per-function',
    title: 'a function of more than 50 lines that is called where it stands',
    file: 'src/a.ts',
    text: `(function () {\n${lines(60)}})()`
  },
  {
    rule: 'max-lines-per-function',
    title: 'a long function in a test',
    file: 'test/unit/a.test.ts',
    text: `t.test('a', async (t) => {\n${lines(60)}})`
  }
])

function lines (count: number): string {
  return 'work()\n'.repeat(count)
}
