//! One call from its XML to the answer's: who calls, what goes wrong on purpose, what the method says.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::methods::{Ctx, dispatch, needed};
use super::options::Options;
use super::rules::{Blow, Cut, Rules};
use super::session::Session;
use super::show::Sight;
use super::soap::{Call, Data, Fault, Method, Moref, Value, answer, fault_answer, read_call, schema};
use super::world::World;

/// What is sent back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: String,
    /// A cookie for a client that brought none.
    pub(super) cookie: Option<String>,
    pub(super) cut: Option<Cut>,
}

impl Reply {
    fn fault(fault: &Fault) -> Self {
        Self { status: 500, body: fault_answer(fault), cookie: None, cut: None }
    }
}

/// Everything behind the socket.
#[derive(Debug)]
pub(super) struct State {
    pub(super) world: World,
    pub(super) sessions: HashMap<String, Session>,
    pub(super) rules: Rules,
    cookies: u64,
    /// Counts calls, for those who want to know how many there were.
    pub(super) calls: HashMap<String, u64>,
}

/// The simulated vCenter behind its socket.
#[derive(Debug)]
pub(super) struct Service {
    state: Mutex<State>,
    /// [`World::change`], for those who wait for updates.
    changes: watch::Sender<u64>,
}

/// How long a call waits for updates that does not say how long.
const LONGEST_WAIT: Duration = Duration::from_secs(30 * 60);

/// What a call does next.
enum Next {
    Answer(Option<Value>),
    /// It waits until there is something to tell.
    Wait {
        collector: String,
        cancelled: u64,
        version: String,
        most: Option<usize>,
        until: Option<Instant>,
    },
}

impl Service {
    pub(super) fn new(world: World, options: &Options) -> Self {
        let rules = Rules::new(options.rules.clone(), options.seed);
        let changes = watch::Sender::new(world.change);
        let state = State { world, sessions: HashMap::new(), rules, cookies: 0, calls: HashMap::new() };
        Self { state: Mutex::new(state), changes }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the state, and wakes those who wait for changes of it.
    pub(super) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        state.world.advance(Instant::now());
        let result = act(&mut state);
        let change = state.world.change;
        drop(state);
        self.changes.send_if_modified(|seen| std::mem::replace(seen, change) != change);
        result
    }

    /// Lets time pass: what is due happens when it is due. Never ends.
    pub(super) async fn run(&self) {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            let next = self.with(|state| state.world.next_due());
            let wake = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                () = tokio::time::sleep_until(wake.into()) => {}
                _ = changes.changed() => {}
            }
        }
    }

    pub(super) async fn call(&self, cookie: Option<&str>, agent: &str, body: &str) -> Reply {
        let call = match read_call(body) {
            Ok(call) => call,
            Err(fault) => return Reply::fault(&fault),
        };
        let blow = self.with(|state| {
            *state.calls.entry(call.method.clone()).or_default() += 1;
            // A rule for a host counts for its parts as well, such as its datastore system.
            let sight = Sight { world: &state.world, session: None };
            let of = sight.owner(&call.this).unwrap_or_else(|| call.this.clone());
            let name = state.world.name(&of).to_owned();
            state.rules.hit(&call.method, &call.this, &name)
        });
        if !blow.delay.is_zero() {
            tokio::time::sleep(blow.delay).await;
        }
        let Blow { fault, task_fault, cut, status, .. } = blow;
        if let Some(status) = status {
            return Reply { status, body: String::new(), cookie: None, cut };
        }
        if cut == Some(Cut::Before) {
            return Reply { status: 500, body: String::new(), cookie: None, cut };
        }
        if let Some(fault) = fault {
            return Reply { cut, ..Reply::fault(&fault) };
        }
        let mut given = None;
        let outcome = self.work(cookie, &mut given, agent, &call, task_fault).await;
        let mut reply = match outcome {
            Ok((value, returns)) => Reply {
                status: 200,
                body: answer(&call.method, &returns.returns, value.as_ref()),
                cookie: None,
                cut: None,
            },
            Err(fault) => Reply::fault(&fault),
        };
        reply.cookie = given;
        reply.cut = cut;
        reply
    }

    async fn work(
        &self,
        cookie: Option<&str>,
        given: &mut Option<String>,
        agent: &str,
        call: &Call,
        task_fault: Option<Fault>,
    ) -> Result<(Option<Value>, &'static Method), Fault> {
        let method = method_of(call)?;
        let next = self.with(|state| {
            state.world.next_task_fault = task_fault;
            let next = state.begin(cookie, given, agent, call, method);
            state.world.next_task_fault = None;
            next
        })?;
        match next {
            Next::Answer(value) => Ok((value, method)),
            Next::Wait { collector, cancelled, version, most, until } => {
                let cookie = cookie.unwrap_or_default();
                let value =
                    self.wait(cookie, &call.this, &collector, cancelled, &version, most, until).await?;
                Ok((value, method))
            }
        }
    }

    #[allow(clippy::too_many_arguments)]
    async fn wait(
        &self,
        cookie: &str,
        this: &Moref,
        collector: &str,
        cancelled: u64,
        version: &str,
        most: Option<usize>,
        until: Option<Instant>,
    ) -> Result<Option<Value>, Fault> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            let found = self.with(|state| state.poll(cookie, this, collector, cancelled, version, most))?;
            if let Some(set) = found {
                return Ok(Some(set.into()));
            }
            let Some(until) = until.filter(|until| *until > Instant::now()) else { return Ok(None) };
            tokio::select! {
                () = tokio::time::sleep_until(until.into()) => {}
                _ = changes.changed() => {}
            }
        }
    }
}

/// The method that a call names; one that its object does not have is a fault.
fn method_of(call: &Call) -> Result<&'static Method, Fault> {
    match schema().method(call.this.kind, &call.method) {
        Some(method) => Ok(method),
        None if schema().has_method(&call.method) => Err(Fault::new(
            "MethodNotFound",
            format!("The method {} is not one of {}.", call.method, call.this.kind),
        )
        .with("receiver", &call.this)
        .with("method", call.method.clone())),
        None => Err(Fault::invalid_request(format!("Unable to resolve WSDL method name {}.", call.method))),
    }
}

impl State {
    /// The session of a cookie, unless it was idle for too long.
    fn session(&mut self, cookie: Option<&str>) -> Option<&mut Session> {
        let (idle, now) = (self.world.options.session_idle, self.world.now);
        let cookie = cookie?;
        if self
            .sessions
            .get(cookie)
            .is_some_and(|session| now.saturating_duration_since(session.used_at) > idle)
        {
            self.sessions.remove(cookie);
        }
        self.sessions.get_mut(cookie)
    }

    fn begin(
        &mut self,
        cookie: Option<&str>,
        given: &mut Option<String>,
        agent: &str,
        call: &Call,
        method: &'static Method,
    ) -> Result<Next, Fault> {
        let known = self.session(cookie).is_some();
        let cookie = match cookie.filter(|_| known || call.method != "RetrieveServiceContent") {
            Some(cookie) => cookie.to_owned(),
            None => {
                self.cookies += 1;
                let fresh = self.world.new_uuid("").replace('-', "") + &format!("{:08x}", self.cookies);
                *given = Some(fresh.clone());
                fresh
            }
        };
        if call.method == "RetrieveServiceContent" {
            return Ok(Next::Answer(Some(super::show::content(&self.world).into())));
        }
        if call.method == "Login" {
            let args = call.arguments(method)?;
            return self
                .login(&cookie, given, known, agent, &args)
                .map(|session| Next::Answer(Some(session.into())));
        }
        let now = self.world.now;
        let Some(session) = self.sessions.get_mut(&cookie) else {
            return Err(Fault::not_authenticated(&call.this));
        };
        session.used_at = now;
        session.used = jiff::Timestamp::now();
        session.calls += 1;
        let sight = Sight { world: &self.world, session: Some(session) };
        sight.must_exist(&call.this)?;
        if let Some(privilege) = needed(call.this.kind, &call.method)
            && !session.may(privilege)
        {
            return Err(Fault::no_permission(&call.this, privilege));
        }
        let args = call.arguments(method)?;
        self.world.caller.clone_from(&session.user);
        match call.method.as_str() {
            "Logout" => {
                self.sessions.remove(&cookie);
                self.world.change += 1;
                Ok(Next::Answer(None))
            }
            "SessionIsActive" => {
                let active = self.sessions.values().any(|session| {
                    Some(session.key.as_str()) == args.text("sessionID")
                        && Some(session.user.as_str()) == args.text("userName")
                });
                Ok(Next::Answer(Some(active.into())))
            }
            "TerminateSession" => {
                let keys: Vec<_> = args.list("sessionId").iter().filter_map(Value::text).collect();
                self.sessions.retain(|_, session| !keys.contains(&session.key.as_str()));
                self.world.change += 1;
                Ok(Next::Answer(None))
            }
            "WaitForUpdatesEx" | "WaitForUpdates" | "CheckForUpdates" => self.waiting(&cookie, call, &args),
            name => {
                let Some(session) = self.sessions.get_mut(&cookie) else {
                    return Err(Fault::not_authenticated(&call.this));
                };
                let ctx = Ctx { world: &mut self.world, session, this: call.this.clone(), args };
                dispatch(ctx, name).map(Next::Answer)
            }
        }
    }

    fn login(
        &mut self,
        cookie: &str,
        given: &mut Option<String>,
        known: bool,
        agent: &str,
        args: &Data,
    ) -> Result<Data, Fault> {
        let invalid =
            || Fault::new("InvalidLogin", "Cannot complete login due to an incorrect user name or password.");
        if known {
            return Err(invalid());
        }
        let (name, password) = (args.text("userName"), args.text("password"));
        let user = self.world.options.users.iter().find(|user| {
            name.is_some_and(|name| name.eq_ignore_ascii_case(&user.name))
                && Some(user.password.as_str()) == password
        });
        let user = user.ok_or_else(invalid)?.clone();
        let key = self.world.new_uuid("52");
        let name = match user.name.split_once('@') {
            Some((name, domain)) => format!("{}\\{name}", domain.to_ascii_uppercase()),
            None => user.name.clone(),
        };
        let session = Session::new(key, name, user.privileges, agent, self.world.now);
        let shown = session.shown();
        self.sessions.insert(cookie.to_owned(), session);
        // A cookie of an expired session is answered with itself: the client may go on using it.
        given.get_or_insert_with(|| cookie.to_owned());
        Ok(shown)
    }

    fn waiting(&mut self, cookie: &str, call: &Call, args: &Data) -> Result<Next, Fault> {
        let options = args.data("options");
        let seconds = options.and_then(|options| options.int("maxWaitSeconds"));
        let most = options.and_then(|options| options.int("maxObjectUpdates"));
        if seconds.is_some_and(|seconds| seconds < 0) {
            return Err(Fault::invalid_argument("options.maxWaitSeconds"));
        }
        if most.is_some_and(|most| most < 1) {
            return Err(Fault::invalid_argument("options.maxObjectUpdates"));
        }
        let wait = match call.method.as_str() {
            "CheckForUpdates" => Duration::ZERO,
            "WaitForUpdatesEx" => {
                seconds.map_or(LONGEST_WAIT, |seconds| Duration::from_secs(seconds.unsigned_abs()))
            }
            _ => LONGEST_WAIT,
        };
        let id = call.this.id.to_string();
        let session = self.sessions.get(cookie).ok_or_else(|| Fault::not_authenticated(&call.this))?;
        let collector = session.collectors.get(&id).ok_or_else(|| Fault::gone(&call.this))?;
        Ok(Next::Wait {
            cancelled: collector.cancelled,
            collector: id,
            version: args.text("version").unwrap_or_default().to_owned(),
            most: most.and_then(|most| usize::try_from(most).ok()),
            until: Some(Instant::now() + wait.min(LONGEST_WAIT)).filter(|_| !wait.is_zero()),
        })
    }

    fn poll(
        &mut self,
        cookie: &str,
        this: &Moref,
        id: &str,
        cancelled: u64,
        version: &str,
        most: Option<usize>,
    ) -> Result<Option<Data>, Fault> {
        let now = self.world.now;
        let session = self.sessions.get_mut(cookie).ok_or_else(|| Fault::not_authenticated(this))?;
        session.used_at = now;
        // The collector is taken out so that its filters can look at the session that it belongs to.
        let mut collector = session.collectors.remove(id).ok_or_else(|| Fault::gone(this))?;
        let found = match collector.cancelled == cancelled {
            true => collector.poll(&Sight { world: &self.world, session: Some(session) }, version, most),
            false => Err(Fault::new("RequestCanceled", "The wait was cancelled.")),
        };
        session.collectors.insert(id.to_owned(), collector);
        found
    }
}
