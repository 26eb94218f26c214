//! Small drawings that stand in a row of a table or beside a number: sparkline, bars, gauge.
//!
//! They are stretched to their place, so they hold no text; what they say in words is their label.

use std::fmt::Write as _;

use super::html::{Html, escape};
use super::status::Mark;

/// Height and width of the drawing area; the sheet decides the real size.
const WIDE: f64 = 120.0;
const HIGH: f64 = 24.0;

/// A coordinate with one decimal: enough for any screen, and the same on every machine.
pub(super) fn at(value: f64) -> String {
    format!("{:.1}", if value.is_finite() { value } else { 0.0 })
}

/// The largest finite value, at least `least`, so that nothing is divided by zero.
pub(super) fn top_of(values: impl Iterator<Item = f64>, least: f64) -> f64 {
    values.filter(|value| value.is_finite()).fold(least, f64::max)
}

/// A line over time, oldest first; None leaves a gap. `limit` is drawn dashed.
pub fn sparkline(values: &[Option<f64>], limit: Option<f64>, label: &str) -> Html {
    let top = top_of(values.iter().flatten().copied().chain(limit), f64::MIN_POSITIVE);
    let step = WIDE / (values.len().max(2) - 1) as f64;
    let height = |value: f64| HIGH - 2.0 - value.clamp(0.0, top) / top * (HIGH - 4.0);
    let mut path = String::new();
    let mut pen = 'M';
    for (place, value) in values.iter().enumerate() {
        match value {
            Some(value) => {
                let _ = write!(path, "{pen}{} {}", at(place as f64 * step), at(height(*value)));
                pen = 'L';
            }
            None => pen = 'M',
        }
    }
    let mut svg = open("spark", label);
    if let Some(limit) = limit {
        let y = at(height(limit));
        let _ =
            write!(svg, "<path class=\"limit\" d=\"M0 {y}H{WIDE}\" vector-effect=\"non-scaling-stroke\"/>");
    }
    if !path.is_empty() {
        let _ = write!(svg, "<path class=\"line\" d=\"{path}\" vector-effect=\"non-scaling-stroke\"/>");
    }
    Html(svg + "</svg>")
}

/// One bar for each stretch of time, oldest first, coloured by how it went; None is a stub in grey.
pub fn bars(values: &[Option<(f64, Mark)>], label: &str) -> Html {
    let top = top_of(values.iter().flatten().map(|(value, _)| *value), f64::MIN_POSITIVE);
    let pitch = WIDE / values.len().max(1) as f64;
    let mut svg = open("spark", label);
    for (place, bar) in values.iter().enumerate() {
        let (height, class) = match bar {
            Some((value, mark)) => ((value.clamp(0.0, top) / top * HIGH).max(1.5), mark.name()),
            None => (1.5, "none"),
        };
        let (x, y) = (at(place as f64 * pitch), at(HIGH - height));
        let (width, height) = (at((pitch - 1.0).max(1.0)), at(height));
        let _ = write!(
            svg,
            "<rect class=\"bar {class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
        );
    }
    Html(svg + "</svg>")
}

/// A value against its limit: the track is a quarter longer than the limit or as long as the value, the limit
/// a tick on it.
pub fn gauge(value: f64, limit: f64, mark: Mark, label: &str) -> Html {
    let top = top_of([limit * 1.25, value].into_iter(), f64::MIN_POSITIVE);
    let filled = at(value.clamp(0.0, top) / top * WIDE);
    let tick = at(limit.clamp(0.0, top) / top * WIDE);
    let mut svg = open("gauge", label);
    let _ = write!(
        svg,
        "<rect class=\"track\" y=\"8\" width=\"{WIDE}\" height=\"8\"/>\
         <rect class=\"fill {}\" y=\"8\" width=\"{filled}\" height=\"8\"/>\
         <path class=\"tick\" d=\"M{tick} 3V21\" vector-effect=\"non-scaling-stroke\"/></svg>",
        mark.name()
    );
    Html(svg)
}

/// Opens a drawing that is stretched to its place and read out as `label`.
pub(super) fn open(class: &str, label: &str) -> String {
    format!(
        "<svg class=\"chart {class}\" viewBox=\"0 0 {WIDE} {HIGH}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
        escape(label)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sparkline_leaves_a_gap_where_nothing_is_known() {
        let drawn = sparkline(&[Some(0.0), Some(5.0), None, Some(10.0)], None, "a < b").0;
        assert!(drawn.contains("d=\"M0.0 22.0L40.0 12.0M120.0 2.0\""), "{drawn}");
        assert!(drawn.contains("aria-label=\"a &lt; b\""), "{drawn}");
    }

    #[test]
    fn a_gauge_past_its_limit_is_full_and_its_limit_moves_left() {
        let drawn = gauge(57.0, 15.0, Mark::Broken, "57 of 15 min").0;
        assert!(drawn.contains("fill broken\" y=\"8\" width=\"120.0\""), "{drawn}");
        assert!(drawn.contains("M31.6 3V21"), "{drawn}");
        let young = gauge(3.0, 15.0, Mark::Met, "3 of 15 min").0;
        assert!(young.contains("width=\"19.2\"") && young.contains("M96.0 3V21"), "{young}");
    }

    #[test]
    fn nothing_to_draw_and_odd_numbers_do_not_break_a_drawing() {
        for drawn in [
            sparkline(&[], None, ""),
            sparkline(&[Some(0.0)], Some(0.0), ""),
            sparkline(&[Some(f64::NAN), Some(f64::INFINITY), Some(1.0)], None, ""),
            bars(&[], ""),
            bars(&[None, Some((0.0, Mark::Met))], ""),
            gauge(0.0, 0.0, Mark::Unknown, ""),
        ] {
            assert!(drawn.0.ends_with("</svg>"));
            assert!(!drawn.0.contains("NaN") && !drawn.0.contains("inf"), "{}", drawn.0);
        }
    }
}
