//! Runs jobs durably: claims them, runs their steps, records every event, resumes after a crash, schedules.
//!
//! In: what is true of every job. Out: HTTP, vSphere, ZFS; those are for the jobs themselves.

pub mod clock;
pub mod context;
pub mod definition;
pub mod due;
mod journal;
pub mod locks;
pub mod log;

pub use clock::{Clock, ManualClock, SystemClock};
pub use context::StepContext;
pub use definition::{AfterFailure, AfterSuccess, Definition, Retry, Step, UndoKind};
pub use locks::LockName;
