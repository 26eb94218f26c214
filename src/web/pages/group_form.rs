//! How a group is replicated, as a form: its fields, what was typed into them, and what it comes to. The wizard and the
//! page on which a group is changed share it.

use std::collections::HashMap;

use crate::app::FieldError;
use crate::app::group_drafts::{Change, GroupForm};
use crate::app::protection_groups::WindowWish;
use crate::domain::retention::Retention;
use crate::domain::timetable::Weekday;
use crate::web::Site;
use crate::web::cx::{Cx, error_of, sentence, typed};
use crate::web::screens::group_wizard::{PolicyMeaning, PolicyPage, WindowRow};
use crate::web::screens::templates::FieldGroup;
use crate::web::view::form::{Choice, Field};
use crate::web::view::navigation::Area;

/// The rules of a retention policy, and what is asked for each.
const RULES: [(&str, &str); 5] =
    [("last", "Newest"), ("hourly", "Hours"), ("daily", "Days"), ("weekly", "Weeks"), ("monthly", "Months")];
/// Most windows that are read from a form.
const WINDOWS: usize = 50;

/// What the button `go` of the form says.
pub(super) const LOOK: &str = "look";
/// As [`LOOK`].
pub(super) const MORE: &str = "more";

/// The form with what was typed in the place of its policy.
pub(super) fn read(form: &HashMap<String, String>, old: GroupForm) -> GroupForm {
    let text = |name: &str| typed(form, name).to_owned();
    let mut new = old;
    let wish = &mut new.wish;
    wish.name = text("name");
    wish.description = text("description");
    wish.rpo_minutes = text("rpo_minutes");
    wish.calendar = text("calendar");
    wish.time_zone = text("time_zone");
    wish.keep_source = keeps(form, "source");
    wish.keep_dr = keeps(form, "dr");
    wish.transport = text("transport");
    wish.bandwidth_limit = text("bandwidth_limit");
    wish.quiesce_every = text("quiesce_every");
    wish.priority = text("priority");
    wish.windows = windows(form);
    new.by_calendar = typed(form, "rhythm") == "calendar";
    new
}

/// The policy in one text, as it reads back: also what is wrong in it is kept.
fn keeps(form: &HashMap<String, String>, side: &str) -> String {
    if form.contains_key(&format!("{side}_all")) {
        return Retention::default().to_string();
    }
    let given = RULES.iter().filter_map(|(rule, _)| {
        let count = typed(form, &format!("{side}_{rule}")).replace([',', '='], " ");
        let count = count.trim();
        (!count.is_empty() && count != "0").then(|| format!("{rule}={count}"))
    });
    let given: Vec<String> = given.collect();
    if given.is_empty() { "last=0".to_owned() } else { given.join(",") }
}

fn windows(form: &HashMap<String, String>) -> Vec<WindowWish> {
    let there = (0..WINDOWS).filter(|number| form.contains_key(&format!("window-{number}-from")));
    let window = |number: usize| {
        let text = |name: &str| typed(form, &format!("window-{number}-{name}")).trim().to_owned();
        WindowWish {
            days: Weekday::ALL
                .into_iter()
                .map(Weekday::as_str)
                .filter(|day| form.contains_key(&format!("window-{number}-{day}")))
                .map(str::to_owned)
                .collect(),
            from: text("from"),
            to: text("to"),
            bandwidth_limit: text("limit"),
        }
    };
    // One that was emptied is not wanted any more.
    there.map(window).filter(|one| *one != WindowWish::default()).collect()
}

/// The page with what is filled in, and what is wrong beside its field.
pub(super) struct Drawn<'a> {
    pub(super) title: String,
    pub(super) lead: String,
    pub(super) action: String,
    pub(super) form: &'a GroupForm,
    pub(super) errors: &'a [FieldError],
    pub(super) change: Option<Change>,
    pub(super) button: String,
    pub(super) back: Option<String>,
    /// Whether an empty window is added to the timetable.
    pub(super) one_more: bool,
    /// Whether a group is changed, which can be switched off then.
    pub(super) changes: bool,
}

impl Drawn<'_> {
    pub(super) fn page(self, site: &Site, cx: &Cx) -> PolicyPage {
        let form = self.form;
        let (meaning, unread) = told(site, form, self.change);
        let mut before = before(form);
        let mut after = after(form, self.changes);
        let mut keeps = vec![
            keep("Kept at the source", "source", &form.wish.keep_source),
            keep("Kept at the DR side", "dr", &form.wish.keep_dr),
        ];
        for field in before.iter_mut().chain(&mut after).flat_map(|group| &mut group.fields) {
            field.error = error_of(self.errors, &field.name);
            if field.name == "calendar" {
                field.error = field.error.take().or_else(|| calendar_error(form, self.errors));
            }
        }
        for (group, name) in keeps.iter_mut().zip(["keep_source", "keep_dr"]) {
            let error = error_of(self.errors, name).map(|error| {
                if error.contains("names nothing to keep") {
                    "Give at least one of these a number above 0, or keep every checkpoint.".to_owned()
                } else {
                    error
                }
            });
            let whole =
                |field: &Field| field.value.is_empty() || field.value.bytes().all(|b| b.is_ascii_digit());
            let at = group.fields.iter().position(|field| !field.is_check() && !whole(field)).unwrap_or(0);
            if let Some(field) = group.fields.get_mut(at) {
                field.error = error;
            }
        }
        let mut windows = form.wish.windows.clone();
        if self.one_more {
            windows.push(WindowWish::default());
        }
        PolicyPage {
            page: cx.page(self.title, Area::Protection),
            steps: Vec::new(),
            lead: self.lead,
            action: self.action,
            stored: form.stored,
            before,
            keeps,
            meaning,
            unread,
            after,
            windows: windows.iter().enumerate().map(|(number, one)| window(number, one)).collect(),
            windows_error: error_of(self.errors, "windows"),
            button: self.button,
            back: self.back,
        }
    }
}

/// The part of the page that says what it comes to.
pub(super) fn look(site: &Site, cx: &Cx, form: &GroupForm, change: Option<Change>) -> PolicyMeaning {
    let (meaning, unread) = told(site, form, change);
    PolicyMeaning { page: cx.page("", Area::Protection), meaning, unread }
}

fn told(site: &Site, form: &GroupForm, change: Option<Change>) -> (Vec<(String, String)>, Vec<String>) {
    match site.app.group_meaning(form, change) {
        Ok(all) => (all.into_iter().map(|(name, text)| (name.to_owned(), text)).collect(), Vec::new()),
        Err(errors) => {
            let text = |error: &FieldError| {
                if error.field == "schedule" {
                    calendar_error(form, &errors).unwrap_or_default()
                } else {
                    sentence(&error.message)
                }
            };
            (Vec::new(), errors.iter().map(text).collect())
        }
    }
}

fn calendar_error(form: &GroupForm, errors: &[FieldError]) -> Option<String> {
    let error = error_of(errors, "schedule")?;
    let missing = form.wish.calendar.trim().is_empty();
    Some(if missing { "Write the calendar, or choose an RPO instead.".to_owned() } else { error })
}

fn before(form: &GroupForm) -> Vec<FieldGroup> {
    let wish = &form.wish;
    let rhythms = vec![
        Choice::new("rpo", "by an RPO: no more than that is lost"),
        Choice::new("calendar", "by a calendar: at fixed times"),
    ];
    vec![
        FieldGroup {
            heading: "Group",
            lead: "What people call it.",
            fields: vec![
                Field::line("name", "Name").value(&wish.name).first(),
                Field::line("description", "Description").value(&wish.description).optional(),
            ],
        },
        FieldGroup {
            heading: "When it runs",
            lead: "Every run makes a checkpoint at the DR side.",
            fields: vec![
                Field::select("rhythm", "Runs", rhythms).value(if form.by_calendar { "calendar" } else { "rpo" }),
                Field::number("rpo_minutes", "RPO")
                    .value(&wish.rpo_minutes)
                    .optional()
                    .unit("minutes")
                    .hint("How old the newest checkpoint at the DR side may become: 1 to 1440."),
                Field::line("calendar", "Calendar").value(&wish.calendar).optional().hint(
                    "Five fields of cron: minute, hour, day of month, month, weekday. 0 3 * * * is every day at 03:00.",
                ),
                Field::line("time_zone", "Time zone")
                    .value(if wish.time_zone.is_empty() { "UTC" } else { &wish.time_zone })
                    .hint("Of the calendar and of the weekly timetable, such as Europe/Berlin."),
            ],
        },
    ]
}

fn keep(heading: &'static str, side: &str, text: &str) -> FieldGroup {
    let policy: HashMap<&str, &str> = text.split(',').filter_map(|part| part.split_once('=')).collect();
    let rule = |(rule, label): (&str, &str)| {
        let count = policy.get(rule).copied().unwrap_or_default();
        Field::number(format!("{side}_{rule}"), label).value(if count == "0" { "" } else { count })
    };
    let mut fields: Vec<Field> =
        RULES.into_iter().map(rule).map(|field| Field { required: false, bare: true, ..field }).collect();
    let all = if text == "all" { "on" } else { "" };
    fields.push(Field::check(format!("{side}_all"), "Keep every checkpoint").value(all));
    FieldGroup { heading, lead: "", fields }
}

fn after(form: &GroupForm, changes: bool) -> Vec<FieldGroup> {
    let wish = &form.wish;
    let ways = vec![
        Choice::new("auto", "automatic: straight if it can be"),
        Choice::new("direct", "straight from appliance to appliance, or not at all"),
        Choice::new("relay", "through Zerfaux"),
    ];
    let mut order = vec![
        Field::number("priority", "Priority")
            .value(&wish.priority)
            .hint("0 to 100. Where not all groups can run at once, the higher goes first."),
    ];
    if changes {
        let on = if wish.disabled { "" } else { "on" };
        let hint = "Without this, nothing is replicated any more; what is at the DR side stays.";
        order.push(Field::check("enabled", "Replicate it").value(on).hint(hint));
    }
    vec![
        FieldGroup {
            heading: "Guests",
            lead: "Whether they are asked to be at rest.",
            fields: vec![
                Field::number("quiesce_every", "Quiesced once in")
                    .value(&wish.quiesce_every)
                    .unit("checkpoints")
                    .hint(
                        "0: never, checkpoints are as after a loss of power. Needs VMware Tools, and takes a VMware snapshot \
                         for a moment.",
                    ),
            ],
        },
        FieldGroup { heading: "Order", lead: "Who goes first.", fields: order },
        FieldGroup {
            heading: "Sending",
            lead: "How data gets to the DR side.",
            fields: vec![
                Field::select("transport", "Way", ways)
                    .value(if wish.transport.is_empty() { "auto" } else { &wish.transport }),
                Field::line("bandwidth_limit", "Bandwidth limit")
                    .value(&wish.bandwidth_limit)
                    .optional()
                    .hint("Bytes a second, such as 10M or 1.5G: powers of 1024. Empty: as fast as it goes."),
            ],
        },
    ]
}

fn window(number: usize, wish: &WindowWish) -> WindowRow {
    let name = |what: &str| format!("window-{number}-{what}");
    let days = [
        ("Mon", Weekday::Mon),
        ("Tue", Weekday::Tue),
        ("Wed", Weekday::Wed),
        ("Thu", Weekday::Thu),
        ("Fri", Weekday::Fri),
        ("Sat", Weekday::Sat),
        ("Sun", Weekday::Sun),
    ];
    let line = |what: &str, label: &str, value: &str, hint: &str| Field {
        narrow: true,
        required: false,
        bare: true,
        ..Field::line(name(what), label).value(value).hint(hint)
    };
    WindowRow {
        number: number + 1,
        days: days
            .into_iter()
            .map(|(word, day)| (name(day.as_str()), word, wish.days.iter().any(|one| one == day.as_str())))
            .collect(),
        fields: vec![
            line("from", "From", &wish.from, "Such as 08:00."),
            line("to", "To", &wish.to, "Such as 18:00; before From: on the next day."),
            line(
                "limit",
                "At most",
                &wish.bandwidth_limit,
                "Such as 10M a second. Empty: no run is started.",
            ),
        ],
    }
}
