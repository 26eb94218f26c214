//! Tasks: work that takes time, says how far it is, fails, and can be cancelled.

use std::fmt;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Body, Due, World};
use crate::sim::vcenter::soap::{Fault, Moref, Value};

/// What a task does when its time is over.
pub(in crate::sim::vcenter) type Work = Box<dyn FnOnce(&mut World) -> Result<Option<Value>, Fault> + Send>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim::vcenter) enum TaskState {
    Queued,
    Running,
    Success,
    Error,
}

impl TaskState {
    pub(in crate::sim::vcenter) fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// A task as a client sees it, and the work that is still to be done.
pub(in crate::sim::vcenter) struct Task {
    pub(in crate::sim::vcenter) method: &'static str,
    pub(in crate::sim::vcenter) description: &'static str,
    pub(in crate::sim::vcenter) entity: Moref,
    pub(in crate::sim::vcenter) entity_name: String,
    pub(in crate::sim::vcenter) user: String,
    pub(in crate::sim::vcenter) state: TaskState,
    pub(in crate::sim::vcenter) progress: Option<u8>,
    pub(in crate::sim::vcenter) error: Option<Fault>,
    pub(in crate::sim::vcenter) result: Option<Value>,
    pub(in crate::sim::vcenter) cancelable: bool,
    pub(in crate::sim::vcenter) cancelled: bool,
    pub(in crate::sim::vcenter) queued: Timestamp,
    pub(in crate::sim::vcenter) started: Option<Timestamp>,
    pub(in crate::sim::vcenter) completed: Option<Timestamp>,
    pub(in crate::sim::vcenter) chain: u64,
    began: Instant,
    lasts: Duration,
    locks: Option<Moref>,
    work: Option<Work>,
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {:?}: {}", self.method, self.entity, self.state.word())
    }
}

/// How a task is to be run.
pub(in crate::sim::vcenter) struct Plan {
    pub(in crate::sim::vcenter) method: &'static str,
    /// As in the task's `descriptionId`.
    pub(in crate::sim::vcenter) description: &'static str,
    pub(in crate::sim::vcenter) entity: Moref,
    /// How long it takes in life.
    pub(in crate::sim::vcenter) lasts: Duration,
    pub(in crate::sim::vcenter) cancelable: bool,
    /// The virtual machine that can do nothing else meanwhile.
    pub(in crate::sim::vcenter) locks: Option<Moref>,
    /// What was found out at once; a fault ends the task soon after it began.
    pub(in crate::sim::vcenter) check: Result<(), Fault>,
    pub(in crate::sim::vcenter) work: Work,
}

/// How often a task says how far it is.
const STEPS: u32 = 10;
/// Tasks that a vCenter remembers.
const REMEMBERED: usize = 2000;

impl World {
    /// Starts a task and gives its reference.
    pub(in crate::sim::vcenter) fn start(&mut self, plan: Plan) -> Moref {
        let moref = self.fresh("Task", "task-");
        let injected = self.next_task_fault.take();
        let mut check = injected.map_or(plan.check, Err);
        let mut locks = None;
        if let Some(vm) = &plan.locks {
            let busy = self.vm(vm).ok().and_then(|vm| vm.busy.clone());
            match (busy, &check) {
                (Some(other), Ok(())) => check = Err(Fault::busy(&other)),
                (None, Ok(())) => {
                    if let Ok(vm) = self.vm_mut(vm) {
                        vm.busy = Some(moref.clone());
                    }
                    locks = Some(vm.clone());
                }
                _ => {}
            }
        }
        let (lasts, work): (_, Work) = match check {
            Ok(()) => (self.pace(plan.lasts), plan.work),
            Err(fault) => (self.pace(plan.lasts.min(Duration::from_millis(500))), Box::new(|_| Err(fault))),
        };
        let task = Task {
            method: plan.method,
            description: plan.description,
            entity_name: self.name(&plan.entity).to_owned(),
            entity: plan.entity,
            user: self.caller.clone(),
            state: TaskState::Queued,
            progress: None,
            error: None,
            result: None,
            cancelable: plan.cancelable,
            cancelled: false,
            queued: self.timestamp(),
            started: None,
            completed: None,
            chain: self.change,
            began: self.now,
            lasts,
            locks,
            work: Some(work),
        };
        self.put(moref.clone(), "", None, Body::Task(Box::new(task)));
        self.tasks.push_back(moref.clone());
        if self.tasks.len() > REMEMBERED
            && let Some(oldest) = self.tasks.pop_front()
        {
            self.remove(&oldest);
        }
        self.schedule(Duration::ZERO, Due::Task(moref.clone()));
        moref
    }

    /// Lets a task get on: it begins, says how far it is, or ends.
    pub(in crate::sim::vcenter) fn work_on(&mut self, moref: &Moref) {
        let (now, stamp) = (self.now, self.timestamp());
        let Ok(task) = self.task_mut(moref) else { return };
        if task.work.is_none() {
            return;
        }
        if task.state == TaskState::Queued {
            task.state = TaskState::Running;
            task.started = Some(stamp);
            task.progress = Some(0);
        }
        let gone = now.saturating_duration_since(task.began);
        if gone < task.lasts && !task.cancelled {
            let share = gone.as_secs_f64() / task.lasts.as_secs_f64();
            task.progress = Some((share * 100.0) as u8);
            let step = (task.lasts / STEPS).max(Duration::from_millis(1));
            let rest = task.lasts - gone;
            self.schedule(step.min(rest), Due::Task(moref.clone()));
            return;
        }
        // A machine that asks something does not start before it is answered.
        let asks =
            self.task(moref).is_ok_and(|task| self.vm(&task.entity).is_ok_and(|vm| vm.question.is_some()));
        if asks && !self.task(moref).is_ok_and(|task| task.cancelled) {
            return;
        }
        self.finish(moref);
    }

    /// Lets a task go on that waited for an answer.
    pub(in crate::sim::vcenter) fn resume(&mut self, moref: &Moref) {
        self.schedule(Duration::ZERO, Due::Task(moref.clone()));
    }

    /// Lets a task end with a fault instead of its work.
    pub(in crate::sim::vcenter) fn fail_task(&mut self, moref: &Moref, fault: Fault) {
        if let Ok(task) = self.task_mut(moref)
            && task.work.is_some()
        {
            task.work = Some(Box::new(|_| Err(fault)));
        }
    }

    fn finish(&mut self, moref: &Moref) {
        let Ok(task) = self.task_mut(moref) else { return };
        let Some(work) = task.work.take() else { return };
        let (locks, cancelled, user) = (task.locks.take(), task.cancelled, task.user.clone());
        if let Some(vm) = &locks
            && let Ok(vm) = self.vm_mut(vm)
        {
            vm.busy = None;
        }
        let caller = std::mem::replace(&mut self.caller, user);
        let outcome = match cancelled {
            true => Err(Fault::new("RequestCanceled", "The task was canceled by a user.")),
            false => work(self),
        };
        self.caller = caller;
        let stamp = self.timestamp();
        let Ok(task) = self.task_mut(moref) else { return };
        task.completed = Some(stamp);
        match outcome {
            Ok(result) => {
                task.state = TaskState::Success;
                task.progress = None;
                task.result = result;
            }
            Err(fault) => {
                task.state = TaskState::Error;
                task.error = Some(fault);
            }
        }
    }

    /// Forgets every task, as a restart does. Those under way end as if nothing had happened, or come to nothing.
    pub(in crate::sim::vcenter) fn forget_tasks(&mut self, finish: bool) {
        for moref in std::mem::take(&mut self.tasks) {
            if finish {
                self.finish(&moref);
            } else if let Some(vm) = self.task_mut(&moref).ok().and_then(|task| task.locks.take())
                && let Ok(vm) = self.vm_mut(&vm)
            {
                vm.busy = None;
            }
            self.remove(&moref);
        }
    }

    /// Asks a task to stop.
    pub(in crate::sim::vcenter) fn cancel_task(&mut self, moref: &Moref) -> Result<(), Fault> {
        let task = self.task_mut(moref)?;
        if task.work.is_none() {
            return Err(Fault::invalid_state("The task has ended already."));
        }
        if !task.cancelable {
            return Err(Fault::not_supported());
        }
        task.cancelled = true;
        self.schedule(Duration::ZERO, Due::Task(moref.clone()));
        Ok(())
    }
}
