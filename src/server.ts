// The entry of the process. A Node.js that is too old can read this file and nothing behind it: it imports nothing
// before the check, and its syntax is that of 2019. `engines` of package.json says the same version.

const OLDEST = { major: 20, minor: 19 }

const version = process.versions.node
const [major = 0, minor = 0] = version.split('.').map(Number)
const [command, ...args] = process.argv.slice(2)
if (!(major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor))) {
  process.stderr.write(`Node.js ${OLDEST.major}.${OLDEST.minor} or newer is needed; this is ${version}.\n`)
  process.exitCode = 1
} else if (command === undefined) {
  await import('./main.ts')
} else if (command === 'keys') {
  const { runKeys } = await import('./commands/keys.ts')
  process.exitCode = await runKeys(args, process)
} else {
  process.stderr.write('The only command is "keys". Without a command, this is the gateway; it has no options.\n')
  process.exitCode = 2
}
