//! A headless Chromium with nothing in it, driven by WebDriver; what WebDriver does not know goes by the browser's own
//! protocol, which chromedriver passes on.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::{Value, json};

/// How the browser shows pages.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    pub width: u32,
    pub dark: bool,
    pub javascript: bool,
}

/// A browser of its own; gone when dropped.
pub struct Chromium {
    pub client: Client,
    pub shown: Shown,
    driver: Child,
    _profile: tempfile::TempDir,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // The driver alone would leave its browser behind; they are one process group.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.driver.id())]).status();
        let _ = self.driver.wait();
    }
}

/// A command that only chromedriver has.
#[derive(Debug)]
struct Own(&'static str, Value);

impl WebDriverCompatibleCommand for Own {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.0))
    }
    fn method_and_body(&self, _url: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}

impl Chromium {
    pub async fn start(shown: Shown) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let program = std::env::var("ZERFAUX_CHROMEDRIVER").unwrap_or_else(|_| "chromedriver".to_owned());
        let mut driver = Command::new(&program)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{program} cannot be started ({error}): install chromium-driver"));
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port: u16 = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.split("successfully on port ").nth(1)?.trim_end_matches('.').parse().ok())
            .expect("chromedriver says its port");
        std::thread::spawn(move || lines.for_each(drop));
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-features=PasswordLeakDetection",
            "--window-size=1440,900",
        ];
        let profile_argument = format!("--user-data-dir={}", profile.path().display());
        let arguments: Vec<&str> = arguments.into_iter().chain([profile_argument.as_str()]).collect();
        let capabilities = json!({
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "goog:chromeOptions": {
                "args": arguments,
                "prefs": { "credentials_enable_service": false, "profile.password_manager_enabled": false },
            },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("it is written as one") };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("a browser starts");
        let browser = Self { client, shown, driver, _profile: profile };
        browser.prepare().await;
        browser
    }

    async fn prepare(&self) {
        let Shown { width, dark, javascript } = self.shown;
        let size = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.protocol("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        self.protocol("Emulation.setEmulatedMedia", features).await;
        self.set_javascript(javascript).await;
    }

    /// Whether pages may run their scripts. Those of the tests always run.
    pub async fn set_javascript(&self, on: bool) {
        self.protocol("Emulation.setScriptExecutionDisabled", json!({ "value": !on })).await;
    }

    /// A method of the Chrome DevTools Protocol.
    pub async fn protocol(&self, method: &str, parameters: Value) -> Value {
        let command = Own("goog/cdp/execute", json!({ "cmd": method, "params": parameters }));
        self.client.issue_cmd(command).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    /// Runs a function's body in the page; what it returns, also as a promise, comes back.
    pub async fn run(&self, body: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(body, arguments).await.unwrap_or_else(|error| panic!("{error} in {body:.200}"))
    }

    /// What the page complained about since this was asked last: policy breaches, errors of scripts.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.client.issue_cmd(Own("se/log", json!({ "type": "browser" }))).await.unwrap();
        let severe = entries.as_array().cloned().unwrap_or_default().into_iter();
        severe
            .filter(|entry| entry["level"] == "SEVERE" || entry["message"].to_string().contains("Policy"))
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The whole page as a picture.
    pub async fn picture(&self) -> Vec<u8> {
        let wish = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.protocol("Page.captureScreenshot", wish).await;
        base64::engine::general_purpose::STANDARD.decode(shot["data"].as_str().unwrap()).unwrap()
    }

    /// What axe-core finds that is serious or worse, one sentence each.
    pub async fn axe(&self) -> Vec<String> {
        let path = PathBuf::from(std::env::var_os("ZERFAUX_AXE").expect("ZERFAUX_AXE names axe.min.js"));
        let source = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        // It waits by timers, which do not run where scripts are off; those of the page have had their chance by now.
        self.set_javascript(true).await;
        let body = format!(
            "{source}; return window.axe.run(document, {{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', \
             'wcag22aa', 'best-practice'], resultTypes: ['violations'] }}).then(found => found.violations.filter(one => \
             ['serious', 'critical'].includes(one.impact)).map(one => one.impact + ' ' + one.id + ': ' + \
             one.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | ')))"
        );
        let found = self.run(&body, Vec::new()).await;
        self.set_javascript(self.shown.javascript).await;
        found.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
    }

    /// Asks `condition` until it is true; fails the test after `most`.
    pub async fn until(&self, what: &str, most: Duration, condition: &str, arguments: Vec<Value>) {
        let began = std::time::Instant::now();
        while self.run(condition, arguments.clone()).await != Value::Bool(true) {
            if began.elapsed() >= most {
                let text = self.run("return document.body.innerText", Vec::new()).await;
                panic!(
                    "{what} did not come true within {most:?}. The page says:\n{}",
                    text.as_str().unwrap_or("")
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
