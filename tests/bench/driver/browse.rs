//! P12: every page over a large database, for twenty operators at a time; then the same while it works.
//!
//! The server's own time is taken, from a request's arrival to its answer, as its log has it: what the asking side costs
//! on the same processors is not counted as an answer's time, though it slows it down.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use zerfaux::auth::table::RULES;

use crate::busy::Work;
use crate::cost;
use crate::crowd;
use crate::options::Options;
use crate::random::Random;
use crate::served::{Served, Visitor};

/// Addresses of one route that are visited.
const EACH: usize = 12;
/// What is downloaded, streamed, or ends something is no page.
const NO_PAGES: [&str; 8] =
    ["/events", "/export", "/console.txt", "/static", "/api/", "/metrics", "/healthz", "/readyz"];
/// What operators with much to look through ask for; some of it no page links to.
const DEEP: [&str; 9] = [
    "/jobs?page=4000",
    "/jobs?state=failed&page=100",
    "/jobs?kind=replicate&q=group-117",
    "/jobs?q=nothing+has+this",
    "/audit?q=job.retry&page=200",
    "/inventory?q=web-04",
    "/inventory?sort=memory&page=100",
    "/inventory?q=nothing+has+this",
    "/inventory?page=200",
];

pub fn p12(options: &Options) -> bool {
    let (operators, seconds) = (options.number("operators", 20), options.number("seconds", 60));
    let seed = options.seed();
    println!("P12 every page, {operators} operators, {seconds} s each, seed {seed}\n");
    let data = crowd::copy(options);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = Served::start(data.path());
    let (pages, visitors) = runtime.block_on(async {
        let mut visitors = Vec::new();
        for n in 0..operators {
            visitors.push(Visitor::sign_in(&server.address, &format!("operator-{n}"), crowd::PASSWORD).await);
        }
        (crawl(&visitors[0]).await, visitors)
    });
    let mut good = judge_pages(&pages);
    let addresses: Vec<String> = pages.iter().map(|page| page.address.clone()).collect();
    let quiet = visit(&runtime, &server, &visitors, &addresses, seconds, seed, "quiet");
    good &= cost::verdict("P12 p99 of the server's time, ms, quiet", quiet, "≤ 50", quiet <= 50.0);
    server.stop();
    let work = runtime.block_on(Work::queue(data.path(), seconds));
    let server = Served::start(data.path());
    let visitors: Vec<Visitor> = visitors.iter().map(|one| one.moved_to(&server.address)).collect();
    let before = runtime.block_on(work.under_way(&visitors[0]));
    let loaded = visit(&runtime, &server, &visitors, &addresses, seconds, seed, "at work");
    let after = runtime.block_on(work.under_way(&visitors[0]));
    println!("jobs that ran when it began: {before}, when it ended: {after}");
    good &= cost::verdict("P12 p99 of the server's time, ms, at work", loaded, "≤ 100", loaded <= 100.0);
    server.stop();
    good
}

struct Page {
    route: String,
    address: String,
    bytes: usize,
    foreign: Vec<String>,
}

/// The pattern of the table that an address belongs to.
fn route_of(address: &str) -> Option<&'static str> {
    let path: Vec<&str> = address.split(['?', '#']).next()?.split('/').collect();
    let fits = |pattern: &str| {
        let pattern: Vec<&str> = pattern.split('/').collect();
        pattern.len() == path.len() && pattern.iter().zip(&path).all(|(p, s)| p == s || p.starts_with('{'))
    };
    // Fixed words before captures: /users/new is not somebody's page.
    let gets = RULES.iter().filter(|(method, ..)| *method == "GET").map(|(_, path, _)| *path);
    let mut fitting: Vec<&str> = gets.filter(|path| fits(path)).collect();
    fitting.sort_by_key(|path| path.matches('{').count());
    fitting.first().copied()
}

/// Follows links from the dashboard, up to [`EACH`] addresses of each route; says which routes no link leads to.
async fn crawl(visitor: &Visitor) -> Vec<Page> {
    let mut waiting: Vec<String> =
        ["/replication", "/sign-in", "/setup", "/step-up"].map(str::to_owned).into();
    waiting.extend(DEEP.map(str::to_owned));
    let (mut seen, mut count) = (BTreeSet::new(), BTreeMap::<&str, usize>::new());
    let mut pages = Vec::new();
    while let Some(address) = waiting.pop() {
        let Some(route) = route_of(&address) else { continue };
        if NO_PAGES.iter().any(|no| route.contains(no)) || !seen.insert(address.clone()) {
            continue;
        }
        if *count.entry(route).or_default() >= EACH {
            continue;
        }
        let got = visitor.get(&address).await;
        if !got.html || got.status >= 500 {
            assert!(got.status < 500, "{address}: {} {}", got.status, got.text);
            continue;
        }
        *count.entry(route).or_default() += 1;
        let links = got.text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        waiting.extend(
            links
                .filter(|link| link.starts_with('/'))
                .map(|link| link.replace("&#38;", "&").replace("&amp;", "&")),
        );
        let foreign = ["src=\"", "href=\"", "action=\""].iter().flat_map(|attribute| {
            got.text
                .split(attribute)
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .filter(|to| to.contains("//"))
        });
        pages.push(Page {
            route: route.to_owned(),
            bytes: got.text.len(),
            foreign: foreign.map(str::to_owned).collect(),
            address,
        });
    }
    let unseen = RULES.iter().filter(|(method, path, _)| {
        *method == "GET"
            && !NO_PAGES.iter().any(|no| path.contains(no))
            && !count.contains_key(path)
            && *path != "/"
    });
    for (_, path, _) in unseen {
        println!("no link led to {path}: not measured");
    }
    pages
}

fn judge_pages(pages: &[Page]) -> bool {
    let routes: BTreeSet<&str> = pages.iter().map(|page| page.route.as_str()).collect();
    println!("{} addresses of {} routes", pages.len(), routes.len());
    let largest = pages.iter().max_by_key(|page| page.bytes).unwrap();
    println!("the largest page is {} with {:.1} KiB", largest.address, largest.bytes as f64 / 1024.0);
    let foreign: Vec<_> = pages.iter().flat_map(|page| &page.foreign).collect();
    println!("addresses of other hosts in them: {foreign:?}");
    let largest = largest.bytes as f64 / 1024.0;
    let small = cost::verdict("P12 largest page, KiB", largest, "≤ 100", largest <= 100.0);
    let own = cost::verdict("P12 addresses of other hosts", foreign.len() as f64, "0", foreign.is_empty());
    small && own
}

/// The 99th percentile of the server's time over all requests, in milliseconds.
fn visit(
    runtime: &tokio::runtime::Runtime,
    server: &Served,
    visitors: &[Visitor],
    addresses: &[String],
    seconds: u64,
    seed: u64,
    what: &str,
) -> f64 {
    let (mark, until) = (server.log_length(), Instant::now() + Duration::from_secs(seconds));
    let client_side: Vec<f64> = runtime.block_on(async {
        let all = visitors.iter().zip(0..).map(|(visitor, n)| {
            let (visitor, addresses) = (visitor.clone(), addresses.to_vec());
            tokio::spawn(async move {
                let live = visitor.follow("/jobs/events");
                let mut random = Random(seed ^ (n + 1));
                let mut took = Vec::new();
                while Instant::now() < until {
                    let address =
                        &addresses[usize::try_from(random.below(0..addresses.len() as u64)).unwrap()];
                    let seen = visitor.get(address).await;
                    assert!(seen.status < 500, "{address}: {} {}", seen.status, seen.text);
                    took.push(seen.took_ms);
                    // Somebody who clicks about once a second, all day.
                    tokio::time::sleep(Duration::from_millis(random.below(300..1700))).await;
                }
                live.abort();
                took
            })
        });
        let mut took = Vec::new();
        for one in all.collect::<Vec<_>>() {
            took.extend(one.await.unwrap());
        }
        took
    });
    let requests = server.requests(mark);
    let mut by_route = BTreeMap::<&str, Vec<f64>>::new();
    for (route, ms, _) in &requests {
        if !route.contains("events") {
            by_route.entry(route).or_default().push(*ms as f64);
        }
    }
    let mut routes: Vec<_> = by_route
        .iter()
        .map(|(route, all)| (quantile(all, 0.99), quantile(all, 0.5), all.len(), *route))
        .collect();
    routes.sort_by(|a, b| b.0.total_cmp(&a.0));
    println!("\n{what}: {} requests; the slowest routes (p99 ms, median ms, requests):", requests.len());
    for (p99, median, count, route) in routes.iter().take(8) {
        println!("  {p99:>5.0} {median:>5.0} {count:>5}  {route}");
    }
    let all: Vec<f64> = by_route.values().flatten().copied().collect();
    println!(
        "  all: median {:.0} ms, p99 {:.0} ms, most {:.0} ms; seen from the other side with its own work p99 {:.0} ms",
        quantile(&all, 0.5),
        quantile(&all, 0.99),
        quantile(&all, 1.0),
        quantile(&client_side, 0.99)
    );
    quantile(&all, 0.99)
}

fn quantile(all: &[f64], part: f64) -> f64 {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    let at = ((all.len() as f64 * part).ceil() as usize).clamp(1, all.len().max(1)) - 1;
    all.get(at).copied().unwrap_or(f64::NAN)
}
