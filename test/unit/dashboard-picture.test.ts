import t from 'tap'
import { logarithmicAxis, timeAxis, valueAxis } from '../../scripts/dashboard/axis.ts'
import { drawLines, drawStates, type Line } from '../../scripts/dashboard/chart.ts'
import { pageOf } from '../../scripts/dashboard/page.ts'
import { byRow, legendOf, PICTURES, readPanels, withEverythingChosen } from '../../scripts/dashboard/panels.ts'
import { withUnit } from '../../scripts/dashboard/units.ts'

const panels = readPanels()
const span = { start: 1_796_040_000, end: 1_796_040_060 }
const frame = { width: 400, height: 200, ...span }
const style = { unit: 'none', isLogarithmic: false, isStacked: false }

function line (name: string, ...values: Array<number | null>): Line {
  return { name, points: values.map((value, index) => [span.start + index, value]) }
}

t.test('a value is written with its unit', async (t) => {
  t.equal(withUnit(0, 's'), '0 s')
  t.equal(withUnit(0.0025, 's'), '2.5 ms')
  t.equal(withUnit(59.94, 's'), '59.9 s')
  t.equal(withUnit(60, 's'), '1 min')
  t.equal(withUnit(90, 's'), '1.5 mins')
  t.equal(withUnit(7200, 's'), '2 hours')
  t.equal(withUnit(1234, 'short'), '1.23 K')
  t.equal(withUnit(4_000_000, 'short'), '4 Mil')
  t.equal(withUnit(1536, 'bytes'), '1.5 KiB')
  t.equal(withUnit(512, 'bytes'), '512 B')
  t.equal(withUnit(0.25, 'percentunit'), '25%')
  t.equal(withUnit(12.3, 'reqps'), '12.3 req/s')
  t.equal(withUnit(2500, 'count:msg/s'), '2.5K msg/s')
  t.equal(withUnit(1234, 'none'), '1234')
  t.throws(() => withUnit(1, 'furlong'), { message: 'the unit furlong is not known' })
})

t.test('an axis begins at 0, has steps that are easy to read, and room for the highest value', async (t) => {
  t.same(valueAxis(93, 'short', 5).ticks, [0, 20, 40, 60, 80, 100])
  t.same(valueAxis(100, 's', 4).ticks, [0, 30, 60, 90, 120])
  t.same(valueAxis(3 * 1024, 'bytes', 4).ticks, [0, 1024, 2048, 3072, 4096])
  t.same(valueAxis(1, 'none', 4).ticks, [0, 1, 2], 'whole ones')
  t.same(valueAxis(0, 'short', 2).ticks, [0, 0.5, 1, 1.5])
  t.equal(valueAxis(93, 'short', 5).place(50), 0.5)
  t.same(logarithmicAxis([0.02, 30]).ticks.map((tick) => withUnit(tick, 'none')), ['0.01', '0.1', '1', '10', '100'])
  t.equal(logarithmicAxis([1, 100]).place(10), 0.5)
  t.equal(logarithmicAxis([0, 100]).place(0), 0)
  t.same(timeAxis(95, 190, 4).ticks, [120, 150, 180])
})

t.test('a line is interrupted where it has no value', async (t) => {
  const moves = (svg: string): number => [...svg.matchAll(/M/g)].length
  t.equal(moves(drawLines([line('a', 1, 2, 3)], style, frame)), 1)
  t.equal(moves(drawLines([line('a', 1, null, 3)], style, frame)), 2)
  const bars = (svg: string): number => [...svg.matchAll(/<rect/g)].length
  t.equal(bars(drawStates([line('a', 1, 1, null, 1)], frame)), 2)
})

t.test('stacked lines lie on each other', async (t) => {
  const highest = (isStacked: boolean): number => {
    const svg = drawLines([line('a', 3, 3), line('b', 4, 4)], { ...style, isStacked }, frame)
    return Math.max(...[...svg.matchAll(/text-anchor="end">(\d+)</g)].map(([, tick]) => Number(tick)))
  }
  t.equal(highest(false), 5)
  t.equal(highest(true), 8)
})

t.test('every panel of the dashboard can be drawn, with its title and the names of its lines', async (t) => {
  t.ok(panels.length > 30)
  for (const panel of panels) {
    const page = pageOf([{ panel, lines: [line('first & last', 1, 2)] }], span)
    t.match(page, panel.title)
    if (panel.type !== 'row' && panel.type !== 'stat') t.match(page, 'first &amp; last', panel.title)
    t.match(pageOf([{ panel, lines: [] }], span), panel.type === 'row' ? panel.title : panel.noValue)
  }
})

t.test('every row of the dashboard is in one picture', async (t) => {
  t.same(Object.values(PICTURES).flat().sort(), [...byRow(panels).keys()].sort())
})

t.test('a query is asked for everything, and a legend has the values of labels', async (t) => {
  t.equal(withEverythingChosen('max(a{job=~"$job", stream=~"$stream", consumer=~"$consumer"})'),
    'max(a{job=~".*", stream=~".*", consumer=~".*"})')
  t.equal(legendOf('{{stream}} {{consumer}}', { stream: 'orders', consumer: 'billing' }), 'orders billing')
})
