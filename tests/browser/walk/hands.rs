//! What a person does on a page, by mouse or by keyboard alone: press what is called so, fill the field with that label,
//! go to an area, look. Walks are written in these words, so that one walk holds for both hands.

use std::path::PathBuf;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::key::Key;
use serde_json::{Value, json};

use super::chromium::{Chromium, Shown};

/// How a person works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hands {
    Mouse,
    Keyboard,
}

/// Longest wait for something that a page shows by itself.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most presses of Tab until something must have been reached.
const STOPS: usize = 150;

/// Finds what can be pressed and is called so: `arguments[0]`, its beginning at least.
const PRESSABLE: &str = r"
    const wanted = arguments[0];
    const name = e => (e.getAttribute('aria-label') || e.innerText || e.textContent || '').replace(/\s+/g, ' ').trim();
    const shown = e => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden';
    const all = [...document.querySelectorAll('main a, main button, main summary, a, button, summary')].filter(shown);
    return all.find(e => name(e) === wanted) || all.find(e => name(e).startsWith(wanted)) || null;";
/// Finds the field with this label.
const FIELD: &str = r"
    const wanted = arguments[0];
    const plain = text => (text || '').replace('(optional)', '').replace(/\s+/g, ' ').trim();
    const fields = [...document.querySelectorAll('input:not([type=hidden]), textarea, select')];
    const shown = fields.filter(e => e.getClientRects().length > 0);
    const labelled = e => [...(e.labels || [])].some(label => plain(label.textContent) === wanted);
    return shown.find(labelled) || shown.find(e => e.getAttribute('aria-label') === wanted) || null;";
/// Whether what has the focus can be seen to have it.
const SHOWS_FOCUS: &str = r"
    const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
    if (box.width < 1 || box.height < 1) return 'it has no size';
    const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
    const near = e.nextElementSibling && getComputedStyle(e.nextElementSibling).outlineStyle !== 'none';
    return outlined || style.boxShadow !== 'none' || near ? '' : 'nothing marks it';";

/// Somebody at a browser, in front of a server.
pub struct Person {
    pub browser: Chromium,
    pub hands: Hands,
    /// Whether each page that is looked at is examined by axe-core and its picture kept.
    pub examines: bool,
    server: String,
    pictures: PathBuf,
    seen: Vec<String>,
}

impl Person {
    pub async fn at(server: &str, walk: &str, shown: Shown, hands: Hands, examines: bool) -> Self {
        let pictures = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("browser").join(walk);
        let _old = std::fs::remove_dir_all(&pictures);
        std::fs::create_dir_all(&pictures).unwrap();
        let browser = Chromium::start(shown).await;
        Self { browser, hands, examines, server: server.to_owned(), pictures, seen: Vec::new() }
    }

    /// Types an address.
    pub async fn open(&self, address: &str) {
        let address = if address.starts_with("http") {
            address.to_owned()
        } else {
            format!("{}{address}", self.server)
        };
        self.browser.client.goto(&address).await.unwrap();
    }

    /// The path of the page.
    pub async fn path(&self) -> String {
        self.browser.client.current_url().await.unwrap().path().to_owned()
    }

    /// All that can be read on the page.
    pub async fn text(&self) -> String {
        let text = self.browser.run("return document.body.innerText", Vec::new()).await;
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page says this. Without scripts a page does not change, so it is loaded again and again.
    pub async fn sees(&self, words: &str) {
        let began = std::time::Instant::now();
        loop {
            let text = self.text().await;
            if text.contains(words) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{words:?} is not on {}:\n{text}", self.path().await);
            tokio::time::sleep(Duration::from_millis(300)).await;
            if !self.browser.shown.javascript {
                self.browser.client.refresh().await.unwrap();
            }
        }
    }

    /// Waits until what is pressable under this name is there.
    pub async fn offers(&self, name: &str) {
        let began = std::time::Instant::now();
        while self.browser.run(PRESSABLE, vec![json!(name)]).await.is_null() {
            assert!(began.elapsed() < PATIENCE, "{name:?} is not offered:\n{}", self.text().await);
            tokio::time::sleep(Duration::from_millis(300)).await;
            if !self.browser.shown.javascript {
                self.browser.client.refresh().await.unwrap();
            }
        }
    }

    /// Presses the button or follows the link of this name.
    pub async fn press(&self, name: &str) {
        self.offers(name).await;
        match self.hands {
            Hands::Mouse => self.click(PRESSABLE, name).await,
            Hands::Keyboard => {
                self.reach(PRESSABLE, name).await;
                self.strike(Key::Enter).await;
            }
        }
        self.settled().await;
    }

    /// Writes into the field with this label, in the place of what is there.
    pub async fn fill(&self, label: &str, text: &str) {
        match self.hands {
            Hands::Mouse => {
                let field = self.element(FIELD, label).await;
                field.clear().await.unwrap();
                field.send_keys(text).await.unwrap();
            }
            Hands::Keyboard => {
                self.reach(FIELD, label).await;
                let field = self.browser.client.active_element().await.unwrap();
                field
                    .send_keys(&format!("{}a{}", char::from(Key::Control), char::from(Key::Null)))
                    .await
                    .unwrap();
                field.send_keys(text).await.unwrap();
            }
        }
    }

    /// Chooses in the list with this label.
    pub async fn choose(&self, label: &str, choice: &str) {
        match self.hands {
            Hands::Mouse => self.element(FIELD, label).await.select_by_label(choice).await.unwrap(),
            Hands::Keyboard => {
                self.reach(FIELD, label).await;
                let list = self.browser.client.active_element().await.unwrap();
                // A list jumps to what begins with the letters that are typed.
                list.send_keys(choice.split(' ').next().unwrap_or(choice)).await.unwrap();
            }
        }
        let chosen =
            format!("return ((...arguments) => {{ {FIELD} }})(arguments[0]).selectedOptions[0].text.trim()");
        let chosen = self.browser.run(&chosen, vec![json!(label)]).await;
        assert_eq!(chosen, json!(choice), "the list {label:?}");
    }

    /// Chooses in the list with this label what begins so.
    pub async fn choose_like(&self, label: &str, beginning: &str) {
        let find = format!(
            "const list = ((...arguments) => {{ {FIELD} }})(arguments[0]); return [...list.options].map(one => \
             one.text.trim()).find(text => text.startsWith(arguments[1])) || null"
        );
        self.element(FIELD, label).await;
        let found = self.browser.run(&find, vec![json!(label), json!(beginning)]).await;
        let choice = found.as_str().unwrap_or_else(|| panic!("{label:?} offers nothing like {beginning:?}"));
        self.choose(label, choice).await;
    }

    /// Ticks the box with this label, or unticks it.
    pub async fn tick(&self, label: &str) {
        match self.hands {
            Hands::Mouse => self.click(FIELD, label).await,
            Hands::Keyboard => {
                self.reach(FIELD, label).await;
                self.strike(Key::Space).await;
            }
        }
    }

    /// What is in the field with this label.
    pub async fn value(&self, label: &str) -> String {
        self.element(FIELD, label).await;
        let value = format!("return ((...arguments) => {{ {FIELD} }})(arguments[0]).value");
        self.browser.run(&value, vec![json!(label)]).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the page, loaded again and again, says this.
    pub async fn sees_when_loaded_again(&self, words: &str) {
        let began = std::time::Instant::now();
        while !self.text().await.contains(words) {
            assert!(
                began.elapsed() < PATIENCE,
                "{words:?} is not on {}:\n{}",
                self.path().await,
                self.text().await
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
            self.browser.client.refresh().await.unwrap();
        }
    }

    /// Whether what is pressable under this name is there now.
    pub async fn is_offered(&self, name: &str) -> bool {
        !self.browser.run(PRESSABLE, vec![json!(name)]).await.is_null()
    }

    /// Shows the navigation where there is too little room for it.
    pub async fn open_menu(&self) {
        match self.hands {
            Hands::Mouse => {
                self.click("return document.querySelector('label[for=menu-toggle]')", "the menu button")
                    .await;
            }
            Hands::Keyboard => {
                self.reach("return document.getElementById('menu-toggle')", "the menu button").await;
                self.strike(Key::Space).await;
            }
        }
    }

    /// Goes to an area by the navigation, behind its menu button where there is little room.
    pub async fn go_to(&self, area: &str) {
        const SHOWN: &str = "return document.querySelector('nav.nav')?.getClientRects().length > 0";
        if self.browser.run(SHOWN, Vec::new()).await != Value::Bool(true) {
            self.open_menu().await;
        }
        let link = "return [...document.querySelectorAll('nav.nav a')].find(e => \
                    [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim() === arguments[0])) || null";
        match self.hands {
            Hands::Mouse => self.click(link, area).await,
            Hands::Keyboard => {
                self.reach(link, area).await;
                self.strike(Key::Enter).await;
            }
        }
        self.settled().await;
    }

    /// Looks at the page, once under each name: nothing sticks out, nothing broke the policy, nothing came from another
    /// host; and where pages are examined, axe-core finds nothing serious, and the picture is kept.
    pub async fn looks(&mut self, name: &str) {
        if self.seen.iter().any(|seen| seen == name) {
            return;
        }
        self.seen.push(name.to_owned());
        let path = self.path().await;
        let over =
            self.browser.run("return document.documentElement.scrollWidth - innerWidth", Vec::new()).await;
        assert!(over.as_i64().unwrap() <= 0, "{name} ({path}) sticks out by {over} px");
        let foreign = "return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))";
        assert_eq!(
            self.browser.run(foreign, Vec::new()).await,
            json!([]),
            "{name} ({path}) asks other hosts"
        );
        let here = self.browser.client.current_url().await.unwrap().to_string();
        // That the page itself is an error, as an invalid form is, the browser counts as one.
        let own = |one: &String| {
            (one.starts_with(&here) && one.contains("Failed to load resource"))
                // Somebody gave this machine another address, and the browser begins its connections anew.
                || one.ends_with("net::ERR_NETWORK_CHANGED")
                // A fault of the page the browser itself opened with: none of ours, and nothing the policy could stop.
                || one.starts_with("chrome://")
        };
        let complaints: Vec<String> =
            self.browser.complaints().await.into_iter().filter(|one| !own(one)).collect();
        assert!(complaints.is_empty(), "{name} ({path}): {complaints:#?}");
        if self.examines {
            let file = self.pictures.join(format!("{:02}-{name}.png", self.seen.len()));
            std::fs::write(file, self.browser.picture().await).unwrap();
            let found = self.browser.axe().await;
            assert!(found.is_empty(), "{name} ({path}): {found:#?}");
        }
    }

    async fn element(&self, finder: &str, name: &str) -> Element {
        let began = std::time::Instant::now();
        loop {
            let found = self.browser.run(finder, vec![json!(name)]).await;
            if let Some(id) =
                found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str)
            {
                return Element::from_element_id(self.browser.client.clone(), id.to_owned().into());
            }
            let text = self.text().await;
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "there is no {name:?} on {}:\n{text}",
                self.path().await
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// A fragment may be exchanged between finding and pressing: then it is found again.
    async fn click(&self, finder: &str, name: &str) {
        for attempt in 0..5 {
            match self.element(finder, name).await.click().await {
                Ok(()) => return,
                Err(CmdError::Standard(error)) if attempt < 4 => {
                    eprintln!("{name} could not be pressed ({}), again", error.error());
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(error) => panic!("{name} could not be pressed: {error}"),
            }
        }
    }

    /// Presses Tab until the focus is there. Each stop on the way has to be seen.
    async fn reach(&self, finder: &str, name: &str) {
        self.element(finder, name).await;
        let there =
            format!("return ((...arguments) => {{ {finder} }})(arguments[0]) === document.activeElement");
        for _ in 0..STOPS {
            if self.browser.run(&there, vec![json!(name)]).await == Value::Bool(true) {
                return;
            }
            self.strike(Key::Tab).await;
            let on_page = "return document.activeElement !== document.body && document.activeElement !== document.documentElement";
            if self.browser.run(on_page, Vec::new()).await == Value::Bool(true) {
                let unseen = self.browser.run(SHOWS_FOCUS, Vec::new()).await;
                if unseen != json!("") {
                    let html = self
                        .browser
                        .run("return document.activeElement.outerHTML.slice(0, 200)", Vec::new())
                        .await;
                    panic!("the focus on {html} is not seen: {unseen}");
                }
            }
        }
        panic!("{name:?} on {} is not reached by {STOPS} presses of Tab", self.path().await);
    }

    async fn strike(&self, key: Key) {
        use fantoccini::actions::{InputSource, KeyAction, KeyActions};
        let value = char::from(key);
        let actions = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value });
        self.browser.client.perform_actions(actions).await.unwrap();
    }

    /// The page that a press leads to has been loaded.
    async fn settled(&self) {
        tokio::time::sleep(Duration::from_millis(150)).await;
        self.browser
            .until("the page", PATIENCE, "return document.readyState === 'complete'", Vec::new())
            .await;
    }
}
