// Dates as pages write them, as ISO 8601 days. Layer: data.

const MONTHS: Readonly<Record<string, number>> = (() => {
  const names = [
    'jan januar january janvier enero janeiro gennaio januari ene',
    'feb februar february février fevrier febrero fevereiro febbraio februari fév fev',
    'mar march märz maerz mars marzo março mrz maart',
    'apr april avril abril aprile avr abr',
    'may mai mayo maio maggio mei',
    'jun june juni juin junio junho giugno',
    'jul july juli juillet julio julho luglio juil',
    'aug august août aout agosto augustus ago',
    'sep sept september septembre septiembre setembro settembre',
    'oct october oktober octobre octubre outubro ottobre okt',
    'nov november novembre noviembre novembro',
    'dec december dezember décembre decembre diciembre dezembro dicembre dez déc dic',
  ];
  return Object.fromEntries(names.flatMap((row, i) => row.split(' ').map((name) => [name, i + 1])));
})();
const ISO = /\b((?:19|20)\d\d)-(\d\d?)-(\d\d?)(?!\d)/;
const SLASHED = /\b((?:19|20)\d\d)[/.](\d\d?)[/.](\d\d?)(?!\d)/;
const CHINESE = /((?:19|20)\d\d)\s*[年년]\s*(\d\d?)\s*[月월]\s*(\d\d?)\s*[日号號일]?/;
const DAY_FIRST = /\b(\d\d?)(?:st|nd|rd|th|\.|er|º)?\s+(?:de\s+)?(\p{L}{3,10})\.?,?\s+(?:de\s+)?((?:19|20)\d\d)\b/u;
const MONTH_FIRST = /(?<!\p{L})(\p{L}{3,10})\.?\s+(\d\d?)(?:st|nd|rd|th)?,?\s+((?:19|20)\d\d)\b/u;
const NUMBERS = /\b(\d\d?)([./-])(\d\d?)\2((?:19|20)\d\d)\b/;

/**
 * The first date in a text, as YYYY-MM-DD; undefined if there is none or it is no day of the calendar. `03/04/2020` is read
 * as the third of April with dots, and with slashes as in the United States where both readings are days.
 */
export function readDate(text: string): string | undefined {
  const head = text.slice(0, 1000);
  for (const pattern of [ISO, SLASHED, CHINESE]) {
    const found = pattern.exec(head);
    if (found !== null) return day(found[1]!, found[2]!, found[3]!);
  }
  for (const [pattern, dayAt, monthAt] of [[DAY_FIRST, 1, 2], [MONTH_FIRST, 2, 1]] as const) {
    const found = pattern.exec(head), month = found === null ? undefined : MONTHS[found[monthAt]!.toLowerCase()];
    if (month !== undefined) return day(found![3]!, String(month), found![dayAt]!);
  }
  const found = NUMBERS.exec(head);
  if (found === null) return undefined;
  const [, a, mark, b, year] = found as unknown as [string, string, string, string, string];
  const american = mark === '/' && Number(a) <= 12;
  return american ? day(year, a, b) ?? day(year, b, a) : day(year, b, a) ?? day(year, a, b);
}

function day(year: string, month: string, date: string): string | undefined {
  const [y, m, d] = [Number(year), Number(month), Number(date)];
  const at = new Date(Date.UTC(y, m - 1, d));
  if (at.getUTCMonth() !== m - 1 || at.getUTCDate() !== d || m < 1) return undefined;
  return `${y}-${String(m).padStart(2, '0')}-${String(d).padStart(2, '0')}`;
}
