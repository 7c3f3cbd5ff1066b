//! The HTML page: totals, charts by file and by code, and the findings in a table that can be searched.
//!
//! One file, no requests: a school may open it anywhere, keep it, or send it to whoever mends the export.

use super::{Entry, Findings};
use crate::catalogue::{CATALOGUE, CONSEQUENCE, listing_rank, remedy};
use crate::finding::Severity;
use crate::legible;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

/// Findings of one code in the table: a browser has to lay out all rows, and a thousand of the same kind say no more than this.
pub(super) const ROWS_OF_CODE_MAX: usize = 500;
/// Messages that say why a run was stopped.
const STOPS_MAX: usize = 10;
/// Places of a code that its bar names.
const PLACES_MAX: usize = 3;

/// What the logs add up to.
#[derive(Default)]
struct Totals {
    by_code: BTreeMap<String, OfCode>,
    consequences: u64,
    /// What stops a run, each of it.
    stops: Vec<String>,
}

#[derive(Default)]
struct OfCode {
    severity: String,
    count: u64,
    places: Vec<String>,
}

impl Totals {
    fn of(findings: &Findings) -> io::Result<Self> {
        let mut totals = Self::default();
        findings.each(|entry| {
            totals.consequences += u64::from(entry.root.is_some());
            if entry.severity == Severity::Catastrophic.word() && totals.stops.len() < STOPS_MAX {
                totals.stops.push(entry.message.to_string());
            }
            if !totals.by_code.contains_key(&*entry.code) {
                totals.by_code.insert(entry.code.to_string(), OfCode { severity: entry.severity.to_string(), ..OfCode::default() });
            }
            if let Some(of) = totals.by_code.get_mut(&*entry.code) {
                of.count += 1;
                if of.places.len() < PLACES_MAX && !entry.file.is_empty() {
                    of.places.push(entry.place());
                }
            }
            Ok(())
        })?;
        Ok(totals)
    }

    /// The codes, causes before what may follow from them, and the most frequent first.
    fn listed(&self) -> Vec<(&str, &OfCode)> {
        let mut codes: Vec<_> = self.by_code.iter().map(|(code, of)| (code.as_str(), of)).collect();
        codes.sort_by_key(|(code, of)| (listing_rank(code), std::cmp::Reverse(of.count), *code));
        codes
    }

    fn of_severity(&self, severity: Severity) -> u64 {
        self.by_code.values().filter(|of| of.severity == severity.word()).map(|of| of.count).sum()
    }

    fn all(&self) -> u64 {
        self.by_code.values().map(|of| of.count).sum()
    }
}

pub(super) fn write(findings: &Findings, out: &mut dyn Write) -> io::Result<()> {
    let totals = Totals::of(findings)?;
    let subject = escape(&findings.subject);
    write!(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Findings: {subject}</title>")?;
    write!(
        out,
        "<meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style></head>\n<body><h1>Findings: {subject}</h1>\n"
    )?;
    out.write_all(head(findings, &totals).as_bytes())?;
    if totals.all() > 0 {
        out.write_all(by_code(&totals).as_bytes())?;
        table(findings, &totals, out)?;
    }
    writeln!(out, "<script>{SCRIPT}</script></body></html>")
}

/// Verdict, totals, and what became of each file.
fn head(findings: &Findings, totals: &Totals) -> String {
    let mut html = String::new();
    if !findings.about.is_empty() {
        let _ = writeln!(html, "<p>{}</p>", escape(&findings.about.join(" ")));
    }
    let errors = totals.of_severity(Severity::Error) + totals.of_severity(Severity::Catastrophic);
    let warnings = totals.of_severity(Severity::Warning);
    if let Some(why) = &findings.stopped {
        let others = totals.stops.iter().filter(|stop| *stop != why);
        let reasons: Vec<String> = std::iter::once(why).chain(others).map(|reason| escape(reason)).collect();
        let _ = writeln!(html, "<p class=\"stopped\"><strong>Stopped.</strong> {}</p>", reasons.join(" "));
    } else if totals.all() == 0 {
        html.push_str("<p class=\"good\"><strong>No findings.</strong> Every row can be used.</p>\n");
    }
    let sum = |of: fn(&crate::FileReport) -> u64| findings.files.iter().map(of).sum::<u64>();
    let _ = write!(html, "<dl class=\"totals\"><div><dt>Rows read</dt><dd>{}</dd></div>", grouped(sum(|f| f.rows)));
    let _ = write!(html, "<div><dt>Rows kept</dt><dd>{}</dd></div>", grouped(sum(|f| f.accepted)));
    let _ = write!(html, "<div><dt>Errors</dt><dd class=\"error\">{}</dd></div>", grouped(errors));
    let _ = writeln!(html, "<div><dt>Warnings</dt><dd class=\"warning\">{}</dd></div></dl>", grouped(warnings));
    match totals.consequences {
        0 => {}
        1 => html.push_str("<p>1 of the errors and warnings follows from another one; mend the cause and it goes away.</p>\n"),
        n => {
            let _ =
                writeln!(html, "<p>{} of the errors and warnings follow from others; mend the causes and they go away.</p>", grouped(n));
        }
    }
    if findings.files.is_empty() {
        return html;
    }
    let most = findings.files.iter().map(|f| f.errors + f.warnings).max().unwrap_or(0).max(1);
    html.push_str(
        "<h2>By file</h2><div class=\"wide\"><table><thead><tr><th scope=\"col\">File<th scope=\"col\" class=\"n\">Rows<th scope=\"col\" class=\"n\">Kept\
         <th scope=\"col\" class=\"n\">Errors<th scope=\"col\" class=\"n\">Warnings<td class=\"bar\"></tr></thead><tbody>\n",
    );
    for file in &findings.files {
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\" class=\"w\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}<td class=\"bar\">{}{}",
            escape(&file.name),
            grouped(file.rows),
            grouped(file.accepted),
            grouped(file.errors),
            grouped(file.warnings),
            bar("error", file.errors, most),
            bar("warning", file.warnings, most),
        );
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// What was found how often, and where first.
fn by_code(totals: &Totals) -> String {
    let codes = totals.listed();
    let most = codes.iter().map(|(_, of)| of.count).max().unwrap_or(1);
    let mut html = "<h2>By kind</h2><div class=\"wide\"><table><thead><tr><th scope=\"col\">Code<th scope=\"col\">Severity<th scope=\"col\" class=\"n\">Count\
        <td class=\"bar\"><th scope=\"col\">What it means and what to do<th scope=\"col\">First at</tr></thead><tbody>\n"
        .to_owned();
    for (code, of) in codes {
        html.push_str(&apart(code, 6));
        let when = CATALOGUE.iter().find(|e| e.code == code).map_or("", |e| e.when);
        let severity = escape(&of.severity);
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\" class=\"w\">{}<td class=\"w\"><span class=\"{severity}\">{severity}</span><td class=\"n\">{}<td class=\"bar\">{}<td>{} <em>{}</em><td class=\"w\">{}",
            breakable(code),
            grouped(of.count),
            bar(&severity, of.count, most),
            escape(when),
            escape(remedy(code)),
            of.places.iter().map(|place| escape(place)).collect::<Vec<_>>().join("<br>"),
        );
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// Before what follows from other findings: a line that says so, with which a part of the table begins that is sorted by itself.
fn apart(code: &str, columns: usize) -> String {
    if code != CONSEQUENCE {
        return String::new();
    }
    format!(
        "</tbody><tbody class=\"apart\"><tr><th colspan=\"{columns}\">What follows from the errors above, and goes away with them</tbody><tbody>\n"
    )
}

/// All findings, in the order of the kinds.
fn table(findings: &Findings, totals: &Totals, out: &mut dyn Write) -> io::Result<()> {
    let left_out: u64 = totals.by_code.values().map(|of| of.count.saturating_sub(ROWS_OF_CODE_MAX as u64)).sum();
    write!(out, "<h2>All findings</h2>")?;
    if left_out > 0 {
        let left_out = grouped(left_out);
        write!(out, "<p>The first {ROWS_OF_CODE_MAX} of each kind; {left_out} more are in the CSV and JSON lines reports.</p>")?;
    }
    writeln!(
        out,
        "<p class=\"search\" hidden><label>Search <input id=\"q\" type=\"search\"></label> <output id=\"shown\"></output></p>\
         <div class=\"wide\"><table id=\"findings\"><thead><tr><th scope=\"col\">Severity<th scope=\"col\">Code<th scope=\"col\">Where<th scope=\"col\">Column<th scope=\"col\">Key<th scope=\"col\">Value<th scope=\"col\">Message and remedy</tr></thead><tbody>"
    )?;
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    findings.each(|entry| {
        if !rows.contains_key(&*entry.code) {
            rows.insert(entry.code.to_string(), Vec::new());
        }
        if let Some(of_code) = rows.get_mut(&*entry.code).filter(|of_code| of_code.len() < ROWS_OF_CODE_MAX) {
            of_code.push(row(entry));
        }
        Ok(())
    })?;
    for (code, _) in totals.listed() {
        out.write_all(apart(code, 7).as_bytes())?;
        rows.get(code).into_iter().flatten().try_for_each(|row| out.write_all(row.as_bytes()))?;
    }
    writeln!(out, "</tbody></table></div>")
}

fn row(entry: &Entry<'_>) -> String {
    let [severity, _, _, _, column, key, value, message, hint, _] = entry.cells().map(|cell| escape(&cell));
    let (code, place) = (breakable(&entry.code), escape(&entry.place()));
    let mut html = format!(
        "<tr><td class=\"w\"><span class=\"{severity}\">{severity}</span><td class=\"w\">{code}<td class=\"w\">{place}<td class=\"w\">{column}<td class=\"k\">{key}<td class=\"k\">{value}<td>{message}"
    );
    if !hint.is_empty() {
        let _ = write!(html, " <em>{hint}</em>");
    }
    html.push('\n');
    html
}

/// A bar of a chart; what it shows stands as a number beside it.
fn bar(class: &str, count: u64, most: u64) -> String {
    if count == 0 {
        return String::new();
    }
    // In tenths of a percent; whatever there is can be seen.
    let width = (count * 1000 / most.max(1)).max(5);
    format!("<i aria-hidden=\"true\" class=\"{class}\" style=\"width:{}.{}%\"></i>", width / 10, width % 10)
}

/// A number with its thousands apart, as reports and the terminal show it.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn escape(text: &str) -> String {
    legible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A code that a narrow column may break between its words.
fn breakable(code: &str) -> String {
    let mut html = String::new();
    for c in escape(code).chars() {
        if c.is_ascii_uppercase() && !html.is_empty() {
            html.push_str("<wbr>");
        }
        html.push(c);
    }
    html
}

const STYLE: &str = "
:root{color-scheme:light dark;--error:#b3261e;--warning:#8a5a00;--good:#1b6e3c;--line:#8884;--bar-error:#d0453c;--bar-warning:#dfa23a;--bar-info:#6a8fbf}
@media(prefers-color-scheme:dark){:root{--error:#ff8a80;--warning:#f2c26b;--good:#7bd79b}}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;padding:0 1.5rem;max-width:80rem}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}
.totals{display:flex;flex-wrap:wrap;gap:1rem;margin:1.5rem 0}.totals div{border:1px solid var(--line);border-radius:.5rem;padding:.7rem 1.2rem;min-width:8rem}
.totals dt{font-size:.9rem}.totals dd{margin:0;font-size:1.8rem;font-variant-numeric:tabular-nums}
.stopped,.good{border-left:.3rem solid var(--error);padding:.4rem .8rem}.good{border-color:var(--good)}
table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top;font-weight:normal;overflow-wrap:anywhere}
thead th{font-weight:600;border-bottom-width:2px;white-space:nowrap}tbody th{font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.w{overflow-wrap:break-word}.k:not(:empty){min-width:7rem}tbody.apart th{padding-top:1.2rem;font-weight:600}.wide{overflow-x:auto}thead button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer}
th[aria-sort=ascending] button::after{content:' \u{2191}'}th[aria-sort=descending] button::after{content:' \u{2193}'}
dd.error,span.error,span.catastrophic{color:var(--error)}dd.warning,span.warning{color:var(--warning)}span.catastrophic{font-weight:700}
.bar{min-width:7rem;width:18%;white-space:nowrap}.bar i{display:inline-block;height:.8rem;border-radius:.15rem;background:var(--bar-info)}
.bar i.error,.bar i.catastrophic{background:var(--bar-error)}.bar i.warning{background:var(--bar-warning)}
em{font-style:normal;opacity:.8}small{opacity:.8}input{font:inherit;padding:.4rem .6rem;width:22rem;max-width:100%}
@media(max-width:45rem){body{margin:1rem auto;padding:0 1rem}.bar{display:none}td,th{padding:.3rem}table{font-size:.9rem}#findings,#findings tbody,#findings tr{display:block}
#findings thead,#findings tr[hidden]{display:none}#findings tr{border-bottom:1px solid var(--line);padding:.5rem 0}
#findings td{display:inline-block;border:0;padding:0 .8rem 0 0}#findings td:empty{display:none}#findings .k{min-width:0}#findings td:last-child{display:block}}
@media print{.search{display:none}body{margin:0;max-width:none}}
";

/// Search, and sorting by the heads of columns. Without it the whole tables are there all the same.
const SCRIPT: &str = "
const order=new Intl.Collator(undefined,{numeric:true}),severities=['catastrophic','error','warning','info'];
const key=c=>{const t=c?c.textContent:'';return c&&c.classList.contains('n')?Number(t.replace(/,/g,'')):severities.includes(t)?severities.indexOf(t):t};
const compare=(a,b)=>typeof a=='number'&&typeof b=='number'?a-b:order.compare(a,b);
for(const head of document.querySelectorAll('thead th')){const button=document.createElement('button');button.append(...head.childNodes);head.append(button);
button.addEventListener('click',()=>{const down=head.ariaSort=='ascending';
for(const other of head.parentNode.cells)other.ariaSort=null;head.ariaSort=down?'descending':'ascending';
for(const body of head.closest('table').tBodies){const rows=[...body.rows].map(r=>[key(r.cells[head.cellIndex]),r]).sort((a,b)=>down?compare(b[0],a[0]):compare(a[0],b[0]));
const sorted=document.createDocumentFragment();for(const[,r]of rows)sorted.append(r);body.append(sorted)}})}
const search=document.querySelector('.search');
if(search){const rows=[...document.querySelectorAll('#findings tbody:not(.apart) tr')].map(r=>[r,[...r.cells].map(c=>c.textContent).join(' ').toLowerCase()]);search.hidden=false;
const show=()=>{const words=q.value.toLowerCase().split(/\\s+/);let n=0;for(const[r,t]of rows){const hit=words.every(w=>t.includes(w));r.hidden=!hit;n+=hit}
shown.value=n+' of '+rows.length};q.addEventListener('input',show);show()}
";

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_stand_apart() {
        let shown = [0, 7, 999, 1_000, 12_345, 123_456, 1_234_567].map(super::grouped);
        assert_eq!(shown, ["0", "7", "999", "1,000", "12,345", "123,456", "1,234,567"]);
    }
}
