//! Both sites drawn with their appliances, and the protection groups as arrows between them.

use std::fmt::Write as _;

use super::chart::at;
use super::html::{Html, escape};
use super::size::{part_of, percent, rate};
use super::status::{Mark, Status};

/// A site: one vCenter and the appliances beside it.
pub struct Site {
    /// `Primary` or `DR`.
    pub role: String,
    /// The vCenter connection's name.
    pub name: String,
    /// Where its page is.
    pub address: String,
    /// How the connection stands.
    pub status: Status,
    /// From top to bottom.
    pub appliances: Vec<Appliance>,
}

/// An appliance.
pub struct Appliance {
    /// Its name.
    pub name: String,
    /// Where its page is.
    pub address: String,
    /// How it stands.
    pub status: Status,
    /// Bytes used in its pool, and its size; None while unknown.
    pub used: Option<(u64, u64)>,
}

/// A protection group on its way.
pub struct Flow {
    /// Its name.
    pub name: String,
    /// Where its page is.
    pub address: String,
    /// How its RPO stands.
    pub status: Status,
    /// The appliance it comes from: 0 for the left site, 1 for the right one, then which of its appliances.
    pub from: (usize, usize),
    /// The appliance it goes to.
    pub to: (usize, usize),
    /// Bytes a second, while something is under way.
    pub rate: Option<u64>,
}

const WIDE: f64 = 1120.0;
const BOX_WIDE: f64 = 252.0;
const BOX_HIGH: f64 = 88.0;
const MARGIN: f64 = 18.0;
const HEAD: f64 = 52.0;
const GAP: f64 = 16.0;
const ROW: f64 = 38.0;
/// Half the width of the plate on which a group's name stands.
const PLATE: f64 = 105.0;

/// The drawing, read out as `label`. Left and right site; more than two do not fit and belong into a table.
pub fn site_map(sites: &[Site; 2], flows: &[Flow], label: &str) -> Html {
    let stack = |site: &Site| HEAD + site.appliances.len().max(1) as f64 * (BOX_HIGH + GAP) + MARGIN - GAP;
    let lanes = HEAD + flows.len() as f64 * ROW + MARGIN - 8.0;
    let high = stack(&sites[0]).max(stack(&sites[1])).max(lanes);
    let mut svg = format!(
        "<div class=\"sitemap\"><svg class=\"chart\" viewBox=\"0 0 {WIDE} {}\" role=\"group\" aria-label=\"{}\">",
        at(high),
        escape(label)
    );
    for (side, site) in sites.iter().enumerate() {
        draw_site(&mut svg, site, side, high);
    }
    for (place, flow) in flows.iter().enumerate() {
        let ports = |end: (usize, usize)| port(flows, place, end);
        draw_flow(&mut svg, flow, HEAD + 12.0 + place as f64 * ROW, ports(flow.from), ports(flow.to));
    }
    Html(svg + "</svg></div>")
}

/// The left edge of a site's boxes.
fn left_of(side: usize) -> f64 {
    if side == 0 { MARGIN } else { WIDE - MARGIN - BOX_WIDE }
}

fn draw_site(svg: &mut String, site: &Site, side: usize, high: f64) {
    let left = left_of(side);
    let _ = write!(
        svg,
        "<rect class=\"site\" x=\"{}\" width=\"{}\" height=\"{}\" rx=\"8\"/>\
         <a href=\"{}\"><text class=\"side-name\" x=\"{}\" y=\"32\">{}</text><text class=\"title\" x=\"{}\" y=\"32\" text-anchor=\"end\">{}</text></a>",
        at(left - MARGIN),
        at(BOX_WIDE + 2.0 * MARGIN),
        at(high),
        escape(&site.address),
        at(left),
        escape(&site.role),
        at(left + BOX_WIDE - 18.0),
        escape(&site.name),
    );
    mark(svg, site.status.mark, left + BOX_WIDE - 6.0, 28.0);
    if site.appliances.is_empty() {
        let _ = write!(
            svg,
            "<text class=\"small\" x=\"{}\" y=\"{}\">No appliance yet</text>",
            at(left),
            at(HEAD + 24.0)
        );
    }
    for (place, appliance) in site.appliances.iter().enumerate() {
        draw_appliance(svg, appliance, left, HEAD + place as f64 * (BOX_HIGH + GAP));
    }
}

fn draw_appliance(svg: &mut String, appliance: &Appliance, x: f64, y: f64) {
    let _ = write!(
        svg,
        "<a href=\"{}\"><rect class=\"box\" x=\"{}\" y=\"{}\" width=\"{BOX_WIDE}\" height=\"{BOX_HIGH}\" rx=\"6\"/>\
         <text class=\"title\" x=\"{}\" y=\"{}\">{}</text></a>\
         <text class=\"small\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
        escape(&appliance.address),
        at(x),
        at(y),
        at(x + 14.0),
        at(y + 27.0),
        // The longer the word beside it, the less room the name has.
        escape(&cut(
            &appliance.name,
            27usize.saturating_sub(appliance.status.word.chars().count()).clamp(8, 18)
        )),
        at(x + BOX_WIDE - 30.0),
        at(y + 27.0),
        escape(&appliance.status.word),
    );
    mark(svg, appliance.status.mark, x + BOX_WIDE - 18.0, y + 23.0);
    let Some((used, size)) = appliance.used else {
        let _ = write!(
            svg,
            "<text class=\"small\" x=\"{}\" y=\"{}\">capacity unknown</text>",
            at(x + 14.0),
            at(y + 56.0)
        );
        return;
    };
    let full = percent(used, size);
    let class = match full {
        95.. => "broken",
        85.. => "risk",
        _ => "",
    };
    let track = BOX_WIDE - 28.0;
    let _ = write!(
        svg,
        "<text class=\"small\" x=\"{}\" y=\"{}\">{}</text><text class=\"small\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{full} %</text>\
         <rect class=\"track\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"6\" rx=\"3\"/><rect class=\"fill {class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"6\" rx=\"3\"/>",
        at(x + 14.0),
        at(y + 54.0),
        part_of(used, size),
        at(x + BOX_WIDE - 14.0),
        at(y + 54.0),
        at(x + 14.0),
        at(y + 66.0),
        at(track),
        at(x + 14.0),
        at(y + 66.0),
        at(track * f64::from(full) / 100.0),
    );
}

/// Where a flow touches a box: on the edge that faces the middle, spread over the box's height in the order of
/// the flows, so that arrows do not cross where they need not.
fn port(flows: &[Flow], place: usize, end: (usize, usize)) -> (f64, f64) {
    let touching: Vec<usize> = flows
        .iter()
        .enumerate()
        .filter(|(_, flow)| flow.from == end || flow.to == end)
        .map(|(at, _)| at)
        .collect();
    let rank = touching.iter().position(|other| *other == place).unwrap_or(0);
    let (side, which) = end;
    let x = if side == 0 { left_of(0) + BOX_WIDE } else { left_of(1) };
    let top = HEAD + which as f64 * (BOX_HIGH + GAP);
    (x, top + BOX_HIGH * (rank as f64 + 1.0) / (touching.len() as f64 + 1.0))
}

fn draw_flow(svg: &mut String, flow: &Flow, lane: f64, from: (f64, f64), to: (f64, f64)) {
    let rightward = from.0 < to.0;
    let sign = if rightward { 1.0 } else { -1.0 };
    let class = flow.status.name();
    let middle = WIDE / 2.0;
    // Out of the box, over to the lane, along it under the name, and into the other box.
    let tip = to.0 - sign * 9.0;
    let (a, b) = (middle - sign * (PLATE + 10.0), middle + sign * (PLATE + 10.0));
    let (bend_a, bend_b) = ((from.0 + a) / 2.0, (b + tip) / 2.0);
    let _ = write!(
        svg,
        "<path class=\"wire {class}\" d=\"M{x0} {y0}C{ca} {y0} {ca} {lane} {a} {lane}H{b}C{cb} {lane} {cb} {y1} {x1} {y1}\"/>\
         <path class=\"head {class}\" d=\"M{tx} {y1}l{dx} -5v10z\"/>",
        x0 = at(from.0),
        y0 = at(from.1),
        ca = at(bend_a),
        lane = at(lane),
        a = at(a),
        b = at(b),
        cb = at(bend_b),
        y1 = at(to.1),
        x1 = at(tip),
        tx = at(to.0 - sign * 1.0),
        dx = at(-sign * 10.0),
    );
    // What is read out begins with what is seen, and adds what only the shape says.
    let (right, unseen) = match flow.rate {
        Some(bytes) => (rate(bytes), format!(", {}", flow.status.word)),
        None => (flow.status.word.to_string(), String::new()),
    };
    let _ = write!(
        svg,
        "<a href=\"{}\" aria-label=\"{} {}{}\"><rect class=\"plate\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"28\" rx=\"14\"/>\
         <text class=\"title\" x=\"{}\" y=\"{}\">{}</text> <text class=\"small\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text></a>",
        escape(&flow.address),
        escape(&flow.name),
        escape(&right),
        escape(&unseen),
        at(middle - PLATE),
        at(lane - 14.0),
        at(2.0 * PLATE),
        at(middle - PLATE + 30.0),
        at(lane + 4.5),
        // The longer the word beside it, the less room the name has.
        escape(&cut(&flow.name, 22usize.saturating_sub(right.chars().count()).clamp(8, 14))),
        at(middle + PLATE - 14.0),
        at(lane + 4.5),
        escape(&right),
    );
    mark(svg, flow.status.mark, middle - PLATE + 18.0, lane);
}

/// A status shape around a point.
fn mark(svg: &mut String, mark: Mark, x: f64, y: f64) {
    let class = mark.name();
    let drawn = match mark {
        Mark::Met => format!("<circle class=\"shape {class}\" cx=\"{}\" cy=\"{}\" r=\"4.5\"/>", at(x), at(y)),
        Mark::Risk => format!("<path class=\"shape {class}\" d=\"M{} {}l5.5 10h-11z\"/>", at(x), at(y - 5.5)),
        Mark::Broken => {
            format!(
                "<rect class=\"shape {class}\" x=\"{}\" y=\"{}\" width=\"9\" height=\"9\"/>",
                at(x - 4.5),
                at(y - 4.5)
            )
        }
        Mark::Unknown | Mark::Working => {
            format!("<circle class=\"shape open {class}\" cx=\"{}\" cy=\"{}\" r=\"4.5\"/>", at(x), at(y))
        }
    };
    svg.push_str(&drawn);
}

/// A name that fits into its place; the whole one is a click away.
fn cut(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str, appliances: usize) -> Site {
        let appliances = (0..appliances).map(|number| Appliance {
            name: format!("zfs-{number}"),
            address: "/appliances/1".into(),
            status: Mark::Met.into(),
            used: Some((7, 8)),
        });
        Site {
            role: "Primary".into(),
            name: name.into(),
            address: "/vcenters/1".into(),
            status: Mark::Met.into(),
            appliances: appliances.collect(),
        }
    }

    fn flow(name: &str, from: (usize, usize), to: (usize, usize)) -> Flow {
        Flow {
            name: name.into(),
            address: "/groups/1".into(),
            status: Mark::Met.into(),
            from,
            to,
            rate: Some(1 << 20),
        }
    }

    #[test]
    fn an_arrow_points_at_the_appliance_that_receives() {
        let sites = [site("a", 1), site("b", 1)];
        let right = site_map(&sites, &[flow("g", (0, 0), (1, 0))], "").0;
        let left = site_map(&sites, &[flow("g", (1, 0), (0, 0))], "").0;
        // The head's point touches the edge of the receiving box.
        assert!(right.contains("d=\"M849.0 96.0l-10.0 -5v10z\""), "{right}");
        assert!(left.contains("d=\"M271.0 96.0l10.0 -5v10z\""), "{left}");
    }

    #[test]
    fn names_are_escaped_and_read_out_with_their_state() {
        let drawn = site_map(&[site("<b>", 0), site("b", 2)], &[flow("a&b", (1, 0), (1, 1))], "x").0;
        assert!(drawn.contains("&lt;b&gt;") && !drawn.contains("<b>"));
        assert!(drawn.contains("aria-label=\"a&amp;b 1.00 MiB/s, met\""), "{drawn}");
        assert!(drawn.contains("No appliance yet"));
        assert!(drawn.contains("fill risk"), "88 % full is at risk");
    }
}
