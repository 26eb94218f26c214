//! Charts over time with axes: the curve is a drawing, the numbers beside it are text of the page, so that they
//! stay readable at any width.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::chart::{at, top_of};
use super::html::{Html, escape};

const WIDE: f64 = 600.0;
const HIGH: f64 = 160.0;

/// A value over time, with a line that it should not cross and, where there is one, a forecast.
pub struct Plot<'a> {
    /// What is shown, in one sentence: the caption, and what a screen reader reads.
    pub caption: &'a str,
    /// Oldest first.
    pub points: &'a [(Timestamp, f64)],
    /// The line and its name, for example `RPO 15 m`.
    pub limit: Option<(f64, &'a str)>,
    /// Where the curve goes if it goes on like this, and what that means in words.
    pub forecast: Option<(Timestamp, f64, &'a str)>,
    /// How a value is written.
    pub write: fn(f64) -> String,
    /// The viewer's time zone.
    pub zone: &'a TimeZone,
}

impl Plot<'_> {
    /// The figure.
    pub fn draw(&self) -> Html {
        let mut out = format!("<figure class=\"plot\"><figcaption>{}</figcaption>", escape(self.caption));
        let times = || self.points.iter().map(|(time, _)| *time).chain(self.forecast.map(|f| f.0));
        let (Some(first), Some(last)) = (times().min(), times().max()) else {
            return Html(out + "<p class=\"nothing\">Nothing measured yet.</p></figure>");
        };
        let values = self.points.iter().map(|(_, value)| *value);
        let marks = self.limit.map(|limit| limit.0).into_iter().chain(self.forecast.map(|f| f.1));
        let top = top_of(values.chain(marks), f64::MIN_POSITIVE) * 1.08;
        let seconds = (last.as_second() - first.as_second()).max(1) as f64;
        let x = |time: Timestamp| (time.as_second() - first.as_second()) as f64 / seconds * WIDE;
        let y = |value: f64| HIGH - value.clamp(0.0, top) / top * HIGH;
        let _ = write!(
            out,
            "<div class=\"y\" aria-hidden=\"true\"><span>{}</span><span>{}</span><span>{}</span></div>\
             <svg class=\"chart\" viewBox=\"0 0 {WIDE} {HIGH}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">\
             <path class=\"axis\" d=\"M0 0H{WIDE}M0 {}H{WIDE}M0 {HIGH}H{WIDE}\" vector-effect=\"non-scaling-stroke\"/>",
            escape(&(self.write)(top)),
            escape(&(self.write)(top / 2.0)),
            escape(&(self.write)(0.0)),
            escape(&self.in_words()),
            HIGH / 2.0
        );
        let mut line = String::new();
        for (place, (time, value)) in self.points.iter().enumerate() {
            let _ = write!(line, "{}{} {}", if place == 0 { 'M' } else { 'L' }, at(x(*time)), at(y(*value)));
        }
        if let (Some((begin, _)), Some((end, value))) = (self.points.first(), self.points.last()) {
            let (begin, end_x) = (at(x(*begin)), at(x(*end)));
            let _ = write!(
                out,
                "<path class=\"area\" d=\"{line}L{end_x} {HIGH}L{begin} {HIGH}z\"/>\
                 <path class=\"line\" d=\"{line}\" vector-effect=\"non-scaling-stroke\"/>"
            );
            if let Some((time, goal, _)) = self.forecast {
                let (from, to) = (at(y(*value)), at(y(goal)));
                let _ = write!(
                    out,
                    "<path class=\"forecast\" d=\"M{end_x} {from}L{} {to}\" vector-effect=\"non-scaling-stroke\"/>",
                    at(x(time))
                );
            }
        }
        if let Some((limit, _)) = self.limit {
            let _ = write!(
                out,
                "<path class=\"limit\" d=\"M0 {}H{WIDE}\" vector-effect=\"non-scaling-stroke\"/>",
                at(y(limit))
            );
        }
        out.push_str("</svg><div class=\"x\" aria-hidden=\"true\">");
        let middle = Timestamp::from_second((first.as_second() + last.as_second()) / 2).unwrap_or(first);
        // A day is told by its hours, anything longer by its days.
        let format = if seconds <= 172_800.0 { "%H:%M" } else { "%-d %b" };
        for time in [first, middle, last] {
            let _ = write!(out, "<span>{}</span>", time.to_zoned(self.zone.clone()).strftime(format));
        }
        out.push_str("</div>");
        self.legend(&mut out);
        Html(out + "</figure>")
    }

    fn legend(&self, out: &mut String) {
        if self.limit.is_none() && self.forecast.is_none() {
            return;
        }
        out.push_str("<div class=\"legend\">");
        let key = |class: &str, words: &str| {
            format!(
                "<span><svg class=\"chart\" viewBox=\"0 0 24 8\" aria-hidden=\"true\"><path class=\"{class}\" d=\"M1 4H23\"/></svg>{}</span>",
                escape(words)
            )
        };
        if let Some((_, name)) = self.limit {
            out.push_str(&key("limit", name));
        }
        if let Some((_, _, words)) = self.forecast {
            out.push_str(&key("forecast", words));
        }
        out.push_str("</div>");
    }

    /// What the curve says to somebody who does not see it.
    fn in_words(&self) -> String {
        let mut words = self.caption.to_owned();
        if let Some((_, value)) = self.points.last() {
            let _ = write!(words, ": now {}", (self.write)(*value));
        }
        if let Some((_, name)) = self.limit {
            let _ = write!(words, ", limit {name}");
        }
        if let Some((_, _, meaning)) = self.forecast {
            let _ = write!(words, ", {meaning}");
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(hour: i64) -> Timestamp {
        Timestamp::from_second(1_795_219_200 + hour * 3600).unwrap()
    }

    #[test]
    fn a_plot_says_in_words_what_it_draws() {
        let plot = Plot {
            caption: "tank, used",
            points: &[(time(0), 1.0), (time(10), 2.0)],
            limit: Some((4.0, "4 TiB capacity")),
            forecast: Some((time(20), 4.0, "full in 10 h")),
            write: |value| format!("{value:.1} TiB"),
            zone: &TimeZone::UTC,
        };
        let drawn = plot.draw().0;
        assert!(drawn.contains("aria-label=\"tank, used: now 2.0 TiB, limit 4 TiB capacity, full in 10 h\""));
        // The first point is at the left edge, the forecast ends at the right one.
        assert!(drawn.contains("class=\"line\" d=\"M0.0 "), "{drawn}");
        assert!(drawn.contains("L600.0 "), "{drawn}");
        assert!(drawn.contains("<span>00:00</span>"), "{drawn}");
    }

    #[test]
    fn nothing_measured_is_said_and_one_point_does_not_break_it() {
        let mut plot = Plot {
            caption: "rate",
            points: &[],
            limit: None,
            forecast: None,
            write: |value| format!("{value}"),
            zone: &TimeZone::UTC,
        };
        assert!(plot.draw().0.contains("Nothing measured yet."));
        let one = [(time(0), 0.0)];
        plot.points = &one;
        assert!(!plot.draw().0.contains("NaN"));
    }
}
