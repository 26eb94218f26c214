//! What every page needs to know of itself: `templates/base.html` is drawn from this.

use super::navigation::Area;
use super::status::Mark;

/// The frame of a page.
#[derive(Debug, Clone)]
pub struct Page {
    /// Says where one is: in the browser's title and as the heading.
    pub title: String,
    /// The area lit in the navigation.
    pub area: Area,
    /// Who looks at it; None before signing in.
    pub user: Option<Viewer>,
    /// The session's token, in every form as `csrf`.
    pub csrf: String,
    /// Whether any system behind this page is simulated.
    pub simulated: bool,
    /// Light, dark, or as the system says.
    pub theme: Theme,
    /// The page's own address, for coming back after a change of theme.
    pub address: String,
    /// How many jobs run now.
    pub working: u64,
    /// The server's time in seconds since 1970, so that relative times do not depend on the viewer's clock.
    pub now: i64,
    /// The version in the foot.
    pub version: &'static str,
    /// What was just done, shown once.
    pub toasts: Vec<Toast>,
    /// Steps to this page from the area's own.
    pub crumbs: Vec<Link>,
    /// The address of a file under `static`, with its hash.
    pub assets: fn(&str) -> String,
}

/// Who looks at the page.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The name.
    pub name: String,
    /// `admin`, `operator` or `viewer`.
    pub role: String,
}

/// A place that can be gone to.
#[derive(Debug, Clone)]
pub struct Link {
    /// Its name.
    pub label: String,
    /// Where it leads.
    pub address: String,
}

/// A message about what was just done.
#[derive(Debug, Clone)]
pub struct Toast {
    /// How it went.
    pub mark: Mark,
    /// One sentence.
    pub message: String,
}

/// Which colours the viewer wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// All of them, in the order of the switch.
    pub const ALL: [Theme; 3] = [Self::System, Self::Light, Self::Dark];

    /// Its name in the cookie and in the form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// What the switch says.
    pub fn label(self) -> &'static str {
        match self {
            Self::System => "Colours as the system says",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// The theme of that name; anything else is the system's.
    pub fn parse(name: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.as_str() == name).unwrap_or_default()
    }

    /// What `data-theme` says, where it says anything.
    pub fn attribute(self) -> Option<&'static str> {
        (self != Self::System).then(|| self.as_str())
    }
}

/// One entry of the navigation as it is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Where it leads.
    pub area: Area,
    /// Whether the page belongs to it.
    pub current: bool,
    /// Something to count beside its name.
    pub count: Option<u64>,
}

impl Page {
    /// The address of a file under `static`.
    pub fn asset(&self, name: &str) -> String {
        (self.assets)(name)
    }

    /// Whether the viewer may start and stop jobs.
    pub fn may_work(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.role != "viewer")
    }

    /// The themes of the switch.
    pub fn themes(&self) -> [Theme; 3] {
        Theme::ALL
    }

    /// The upper part of the navigation.
    pub fn work(&self) -> Vec<Entry> {
        self.entries(&Area::WORK)
    }

    /// The lower part of the navigation.
    pub fn setup(&self) -> Vec<Entry> {
        self.entries(&Area::SETUP)
    }

    fn entries(&self, areas: &[Area]) -> Vec<Entry> {
        let admin = self.user.as_ref().is_some_and(|user| user.role == "admin");
        let visible = areas.iter().filter(|area| admin || !area.admin_only());
        visible
            .map(|area| Entry {
                area: *area,
                current: *area == self.area,
                count: (*area == Area::Jobs && self.working > 0).then_some(self.working),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theme_survives_its_cookie_and_nonsense_is_the_systems() {
        for theme in Theme::ALL {
            assert_eq!(Theme::parse(theme.as_str()), theme);
        }
        assert_eq!(Theme::parse("\"><script>"), Theme::System);
        assert_eq!(Theme::System.attribute(), None);
    }
}
