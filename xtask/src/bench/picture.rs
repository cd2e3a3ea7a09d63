//! The figures as a picture: one bar per row, its target as a line.
//!
//! Owns: the drawing, readable on light and dark pages. Does not own: any figure.

use serde_json::Value;

use crate::workshop::Failure;

const WIDTH: f64 = 1080.0;
const LEFT: f64 = 330.0;
/// Where a bar ends that just reaches its target.
const TARGET: f64 = 230.0;
/// No bar is longer than so many times that.
const LONGEST: f64 = 1.6;
const LINE: f64 = 26.0;
const TOP: f64 = 54.0;

const HEAD: &str = "<style>
text { font: 13px sans-serif; fill: #333 }
.small { font-size: 11px; fill: #666 }
.met { fill: #2e7d4f }
.missed { fill: #b5541c }
.target { stroke: #555; stroke-dasharray: 3 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #ddd }
  .small { fill: #aaa }
  .met { fill: #5fbf86 }
  .missed { fill: #e08a52 }
  .target { stroke: #bbb }
}
</style>
";

/// Draws rows as `--json` prints them; lines that are no rows are left out.
pub(super) fn draw(lines: &str) -> Result<String, Failure> {
    let parsed: Result<Vec<Value>, _> = lines.lines().map(serde_json::from_str).collect();
    let parsed = parsed.map_err(|e| Failure::new(format!("a row is no JSON: {e}")))?;
    let rows: Vec<&Value> = parsed.iter().filter(|row| row.get("work").is_some()).collect();
    let height = TOP + LINE * as_float(rows.len()) + 14.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Figures of the benchmarks against their targets\">\n{HEAD}"
    );
    let line = LEFT + TARGET;
    svg.push_str(&format!(
        "<text x=\"10\" y=\"24\">Each bar is the share of its target that was reached; longer is better.</text>\n\
         <text class=\"small\" x=\"{line}\" y=\"44\" text-anchor=\"middle\">target</text>\n\
         <line class=\"target\" x1=\"{line}\" x2=\"{line}\" y1=\"48\" y2=\"{}\"/>\n",
        height - 8.0
    ));
    for (at, row) in rows.iter().enumerate() {
        svg.push_str(&bar(row, TOP + LINE * as_float(at)));
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn bar(row: &Value, y: f64) -> String {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| row.get(name).and_then(Value::as_f64).unwrap_or_default();
    let target = number("target");
    let (share, told) = match (text("bound"), row.get("peer").is_some_and(Value::is_number)) {
        ("at most", _) => (target / number("ours"), format!("{} {}, at most {target}", number("ours"), text("unit"))),
        (_, true) => {
            (number("ratio") / target, format!("{} times {}, wanted {target}", number("ratio"), text("against")))
        }
        _ => (number("ours") / target, format!("{} {}, at least {target}", number("ours"), text("unit"))),
    };
    let share = if share.is_finite() { share.clamp(0.0, LONGEST) } else { 0.0 };
    let class = if row.get("met") == Some(&Value::Bool(true)) { "met" } else { "missed" };
    let (base, length) = (y + 15.0, TARGET * share);
    format!(
        "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{}</text>\n\
         <rect class=\"{class}\" x=\"{LEFT}\" y=\"{}\" width=\"{length:.1}\" height=\"14\"/>\n\
         <text class=\"small\" x=\"{:.1}\" y=\"{base}\">{}</text>\n",
        LEFT - 8.0,
        escaped(text("work")),
        y + 4.0,
        LEFT + length.max(TARGET) + 8.0,
        escaped(&told)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

/// Counts of rows are small.
fn as_float(count: usize) -> f64 {
    f64::from(u16::try_from(count).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: &str = r#"{"work":"tokens","ours":12,"peer":2,"ratio":6,"target":3,"met":true,"against":"a & b"}
{"work":"size","ours":900,"peer":null,"ratio":2,"target":450,"met":false,"bound":"at most","unit":"bytes"}
{"machine":{"cores":2}}
"#;

    #[test]
    fn a_row_that_passes_its_target_is_longer_than_one_that_misses() {
        let svg = draw(ROWS).unwrap();
        let widths: Vec<&str> = svg.split("width=\"").skip(1).map(|it| it.split('"').next().unwrap()).collect();
        assert_eq!(widths, ["368.0", "115.0"]);
        assert!(svg.contains("class=\"met\"") && svg.contains("class=\"missed\""));
    }

    #[test]
    fn what_is_written_is_escaped_and_what_is_no_json_is_refused() {
        assert!(draw(ROWS).unwrap().contains("a &amp; b"));
        assert!(draw("work").is_err());
    }
}
