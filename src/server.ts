// The entry of the process. A Node.js that is too old can read this file and nothing behind it: it imports nothing
// before the check, and its syntax is that of 2019. `engines` of package.json says the same version.

const OLDEST = { major: 20, minor: 19 }

const version = process.versions.node
const [major = 0, minor = 0] = version.split('.').map(Number)
const [command, ...args] = process.argv.slice(2)
if (!(major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor))) {
  process.stderr.write(`Node.js ${OLDEST.major}.${OLDEST.minor} or newer is needed; this is ${version}.\n`)
  process.exitCode = 1
} else if (command === undefined || (command === 'serve' && args.length === 0)) {
  await import('./main.ts')
} else {
  const { runCommand } = await import('./commands/run.ts')
  process.exitCode = await runCommand(command, args, process)
}
